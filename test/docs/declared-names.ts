// Names that exist in types only, read from the sources: the codes of errors and the fields of
// events. What runs has no list of them to compare with.
import { readFileSync } from 'node:fs'
import {
  ScriptTarget,
  createSourceFile,
  isIdentifier,
  isInterfaceDeclaration,
  isIntersectionTypeNode,
  isLiteralTypeNode,
  isPropertySignature,
  isStringLiteral,
  isTypeAliasDeclaration,
  isTypeLiteralNode,
  isTypeReferenceNode,
  isUnionTypeNode,
} from 'typescript'
import type { InterfaceDeclaration, NodeArray, SourceFile, TypeElement, TypeNode } from 'typescript'

function source(path: string): SourceFile {
  const code = readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8')
  return createSourceFile(path, code, ScriptTarget.ES2022)
}

/** All members of `ErrorCode`. */
export function errorCodes(): string[] {
  const codes = source('job/errors.ts').statements.find(
    (each) => isTypeAliasDeclaration(each) && each.name.text === 'ErrorCode',
  )
  if (codes === undefined || !isTypeAliasDeclaration(codes) || !isUnionTypeNode(codes.type)) {
    throw new Error('ErrorCode is no union any more')
  }
  return codes.type.types.flatMap((type) =>
    isLiteralTypeNode(type) && isStringLiteral(type.literal) ? [type.literal.text] : [],
  )
}

/** Each event's name, and its own fields beside `type`, `at` and `node`. */
export function eventFields(): readonly (readonly [string, string[]])[] {
  const events = source('observe/events.ts')
  const known = new Map<string, InterfaceDeclaration>()
  for (const each of events.statements) {
    if (isInterfaceDeclaration(each)) known.set(each.name.text, each)
  }
  const fieldsOf = (type: TypeNode): string[] => {
    if (isTypeLiteralNode(type)) return names(type.members)
    if (isIntersectionTypeNode(type)) return type.types.flatMap(fieldsOf)
    if (isTypeReferenceNode(type) && isIdentifier(type.typeName)) return allOf(type.typeName.text)
    throw new Error('EventMap has a type that this reader does not know')
  }
  const allOf = (name: string): string[] => {
    if (name === 'JobRef') return ['queue', 'id']
    const found = known.get(name)
    if (found === undefined) throw new Error(`${name} is not declared in events.ts`)
    const bases = (found.heritageClauses ?? []).flatMap(({ types }) =>
      types.flatMap(({ expression }) => (isIdentifier(expression) ? allOf(expression.text) : [])),
    )
    return [...bases, ...names(found.members)]
  }
  const map = known.get('EventMap')
  if (map === undefined) throw new Error('EventMap is not declared in events.ts')
  return map.members.flatMap((member) => {
    if (!isPropertySignature(member) || member.type === undefined) return []
    return [[nameOf(member), fieldsOf(member.type)] as const]
  })
}

function names(members: NodeArray<TypeElement>): string[] {
  return members.map(nameOf)
}

function nameOf({ name }: TypeElement): string {
  if (name !== undefined && (isIdentifier(name) || isStringLiteral(name))) return name.text
  throw new Error('a member without a plain name')
}
