/**
 * The source as the house test sees it: every file with its imports and with the places where it
 * touches real time or chance. It reads the syntax tree, so comments and strings never count.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join, posix } from 'node:path'
import ts from 'typescript'

export interface Import {
  /** As written. */
  readonly name: string
  /** The file under src that it means; null for a package, or for a file that is not there. */
  readonly file: string | null
  readonly line: number
}

export interface Touch {
  /** For example `Date.now`. */
  readonly what: string
  readonly line: number
}

export interface Source {
  /** From src on, with forward slashes: `job/id.ts`. */
  readonly path: string
  readonly lines: number
  readonly imports: readonly Import[]
  /** Where it reads a real clock, sets a real timer or throws real dice. */
  readonly touches: readonly Touch[]
}

/** By path. */
export type House = ReadonlyMap<string, Source>

/** Every TypeScript file under a folder. */
export function readHouse(folder: string): House {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.[cm]?tsx?$/.test(path))
  const texts = paths.map((path) => [path, readFileSync(join(folder, path), 'utf8')] as const)
  return buildHouse(Object.fromEntries(texts))
}

/** The same from texts at hand: `{ 'job/id.ts': '…' }`. */
export function buildHouse(texts: Readonly<Record<string, string>>): House {
  const paths = new Set(Object.keys(texts))
  const sources = Object.entries(texts).map(([path, text]) => readSource(path, text, paths))
  return new Map(sources.map((source) => [source.path, source]))
}

function readSource(path: string, text: string, paths: ReadonlySet<string>): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const imports: Import[] = []
  const touches: Touch[] = []
  const lineOf = (node: ts.Node): number =>
    tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1

  const visit = (node: ts.Node, inType: boolean): void => {
    const name = importedName(node)
    if (name !== undefined)
      imports.push({ name, file: resolve(path, name, paths), line: lineOf(node) })
    const typed = inType || ts.isTypeNode(node)
    for (const what of typed ? [] : touched(node)) touches.push({ what, line: lineOf(node) })
    ts.forEachChild(node, (child) => visit(child, typed))
  }
  visit(tree, false)
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  return { path, lines, imports, touches }
}

/** What a node imports: statically, dynamically, as a type, or as the file of a thread or process. */
function importedName(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
    return textOf(node.moduleSpecifier)
  if (ts.isImportTypeNode(node)) {
    return ts.isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : undefined
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return textOf(node.arguments[0])
  }
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'URL') return undefined
  const [target, base] = node.arguments ?? []
  return base?.getText() === 'import.meta.url' ? textOf(target) : undefined
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined
}

function resolve(from: string, name: string, paths: ReadonlySet<string>): string | null {
  if (!name.startsWith('.')) return null
  const target = posix.join(posix.dirname(from), name)
  const spellings = [target, target.replace(/\.js$/, '.ts'), target.replace(/\.js$/, '.tsx')]
  return spellings.find((path) => paths.has(path)) ?? null
}

const GLOBALS = new Set(['setTimeout', 'setInterval', 'setImmediate'])
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  Date: ['now'],
  Math: ['random'],
  performance: ['now', 'timeOrigin'],
  process: ['hrtime', 'uptime'],
  os: ['uptime'],
  AbortSignal: ['timeout'],
}
const DICE = /^(randomBytes|randomUUID|randomInt|randomFill|randomFillSync|getRandomValues)$/
const CLOCK_MODULES = /^(node:)?(timers(\/promises)?|perf_hooks)$/

/** The real clocks and dice that this one node reaches for. */
function touched(node: ts.Node): readonly string[] {
  if (ts.isIdentifier(node)) return GLOBALS.has(node.text) && isReference(node) ? [node.text] : []
  if (ts.isPropertyAccessExpression(node)) return member(node.expression.getText(), node.name.text)
  if (ts.isElementAccessExpression(node)) {
    return member(node.expression.getText(), textOf(node.argumentExpression) ?? '')
  }
  if (ts.isNewExpression(node) || ts.isCallExpression(node)) {
    const isDate = node.expression.getText().replace(/^globalThis\./, '') === 'Date'
    if (!isDate) return []
    if (ts.isCallExpression(node)) return ['Date()']
    return (node.arguments ?? []).length === 0 ? ['new Date()'] : []
  }
  if (ts.isVariableDeclaration(node)) return takenApart(node)
  return ts.isImportDeclaration(node) ? importedClocks(node) : []
}

function member(owner: string, name: string): readonly string[] {
  const object = owner.replace(/^globalThis\./, '')
  const isGlobal = object === 'globalThis' && GLOBALS.has(name)
  const isKnown = Object.hasOwn(MEMBERS, object) && MEMBERS[object].includes(name)
  return isGlobal || isKnown || DICE.test(name) ? [`${object}.${name}`] : []
}

/** `const { now } = Date`. */
function takenApart(node: ts.VariableDeclaration): readonly string[] {
  if (!ts.isObjectBindingPattern(node.name) || node.initializer === undefined) return []
  const owner = node.initializer.getText()
  return node.name.elements.flatMap((e) => member(owner, (e.propertyName ?? e.name).getText()))
}

function importedClocks(node: ts.ImportDeclaration): readonly string[] {
  const module = textOf(node.moduleSpecifier) ?? ''
  if (CLOCK_MODULES.test(module)) return [module]
  const bindings = node.importClause?.namedBindings
  if (bindings === undefined || !ts.isNamedImports(bindings)) return []
  return bindings.elements
    .map((element) => (element.propertyName ?? element.name).text)
    .filter((name) => DICE.test(name) || (/^(node:)?os$/.test(module) && name === 'uptime'))
}

/** A use of the global, and not a property, a declaration or a key that happens to have its name. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isImportSpecifier(parent) || ts.isBindingElement(parent)) return false
  return !('name' in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent))
}
