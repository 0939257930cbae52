/**
 * `millrace/testing`: a Millrace for tests, and what this project proves itself with. The
 * conformance suite for authors of stores, a virtual clock and seeded dice, a store that fails on
 * demand, a proxy that spoils connections, a disk that forgets, a judge of what gates let through. It defines nothing.
 */
export { describeStore } from './conformance/suite.js'
export type { StoreSuite } from './conformance/suite.js'
export { compareStores } from './conformance/compare.js'
export type { Comparison } from './conformance/compare.js'
export type { Medium, MediumAsk, OpenMedium } from './conformance/medium.js'
export { walk } from './conformance/walk.js'
export type { WalkAsk } from './conformance/walk.js'
export { digest as bookDigest } from '../job/book/digest.js'
export { judgeFamilies } from './family-history.js'
export type { FamilyReport, Member } from './family-history.js'
export { judgeGates } from './gate-history.js'
export type { Gate, GateReport, Pause, Run } from './gate-history.js'
export { judgeSlots } from './slot-history.js'
export type { Blackout, SlotPlan, SlotReport, SlotRun } from './slot-history.js'
export { faultyStore } from './faulty-store.js'
export type {
  FaultOptions,
  FaultRates,
  FaultyStore,
  Injected,
  StoreFault,
  StoreVerb,
} from './faulty-store.js'
export { PowerCut, SimDisk } from './sim-disk.js'
export type { CrashProfile, SimCall, SimCallRecord, SimDiskOptions } from './sim-disk.js'
export { tcpProxy } from './tcp-proxy.js'
export type {
  InjectedTcpFault,
  TcpConnectFault,
  TcpCounts,
  TcpProxy,
  TcpProxyOptions,
} from './tcp-proxy.js'
export type { TcpRates } from './tcp-dice.js'
export type { TcpShape } from './tcp-lane.js'
export type { TcpFault, TcpLink } from './tcp-link.js'
export { testMillrace } from './test-millrace.js'
export type { Expected, TestMillrace, TestOptions } from './test-millrace.js'
export { seededChance, VirtualClock } from '../time/virtual.js'
export type { Chance, Clock, Timer } from '../time/clock.js'
