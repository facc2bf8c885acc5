/**
 * The mutants of a source: what it would be with one mistake in it. Types make none. Neither do logs and
 * what decides about them, nor prose, which is a string with a space in it: the texts of errors are for
 * people, so no test has to hold them to the letter. Their codes and causes are mutated.
 */
import ts from 'typescript-5.9'

/** The source with one mistake. */
export interface Mutant {
  /** Where it is, counted from 1. */
  readonly line: number
  readonly column: number
  /** The function or the member of a class that has it. */
  readonly in: string
  /** The line as it was, without its indent. */
  readonly text: string
  /** `before → after`, each of them cut where it is long. */
  readonly change: string
  /** The module in JavaScript. */
  readonly code: string
}

/** What stands for an operator, the more likely mistake first. */
const swapped: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '&&': ['||'],
  '||': ['&&'],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '**': ['*'],
  '&': ['|'],
  '|': ['&'],
  '^': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
  '>>>': ['<<'],
  '+=': ['-='],
  '-=': ['+='],
  '*=': ['/='],
  '/=': ['*='],
  '&=': ['|='],
  '|=': ['&='],
  '^=': ['&='],
  '<<=': ['>>='],
  '>>=': ['<<='],
  '??=': ['='],
  '||=': ['='],
  '&&=': ['='],
}

/** Those of which each side may be taken alone. */
const sided = ['&&', '||', '??']
/** Those whose opposite is among the swapped. */
const compared = ['<', '<=', '>', '>=', '===', '!==']

const methods: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
  min: 'max',
  max: 'min',
  floor: 'ceil',
  ceil: 'floor',
  toLowerCase: 'toUpperCase',
  toUpperCase: 'toLowerCase',
  push: 'unshift',
  shift: 'pop',
}
/** Those that may be left out: what they are called on would do. */
const passing = ['filter', 'sort', 'reverse', 'slice', 'trim', 'subarray', 'toLowerCase']

/** In a regular expression: what to find, and what to put there. */
const patterns: readonly [RegExp, string][] = [
  [/\^(?<=^\/\^)/g, ''],
  [/\$(?=\/[a-z]*$)/g, ''],
  [/(?<!\\)\[(?!\^)/g, '[^'],
  [/(?<!\\)\[\^/g, '['],
  [/\\d/g, '\\D'],
  [/\\w/g, '\\W'],
  [/\\s/g, '\\S'],
  [/(?<=[\])\w.])(?:[*+]|\{\d[^}]*\})/g, ''],
]

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  removeComments: true,
}

/** The module in JavaScript, or nothing if it is none. */
export function transpiled(source: string): string | undefined {
  const { outputText, diagnostics } = ts.transpileModule(source, {
    compilerOptions: options,
    reportDiagnostics: true,
  })
  return diagnostics?.length ? undefined : outputText
}

/** All mutants of a source that are JavaScript, each once, in the order of the lines. */
export function mutantsOf(source: string): Mutant[] {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, true)
  const lines = source.split('\n')
  const seen = new Set([transpiled(source)])
  const mutants: Mutant[] = []

  function mutate(node: ts.Node, after: string, scope: string): void {
    const start = node.getStart()
    const isOperand = ts.isBinaryExpression(node) && ts.isBinaryExpression(node.parent)
    const put = isOperand ? `(${after})` : after
    const code = transpiled(source.slice(0, start) + put + source.slice(node.end))
    if (code === undefined || seen.has(code)) return
    seen.add(code)
    const { line, character } = file.getLineAndCharacterOfPosition(start)
    mutants.push({
      line: line + 1,
      column: character + 1,
      in: scope,
      text: (lines[line] ?? '').trim(),
      change: `${short(node.getText())} → ${short(after)}`,
      code,
    })
  }

  function visit(node: ts.Node, outer: string): void {
    if (isOnlyType(node) || (ts.isStatement(node) && isLog(node))) return
    const scope = [outer, nameOf(node)].filter(Boolean).join('.')
    for (const after of replacements(node)) mutate(node, after, scope)
    ts.forEachChild(node, (child) => visit(child, scope))
  }
  visit(file, '')
  return mutants.sort((one, other) => one.line - other.line || one.column - other.column)
}

function short(text: string): string {
  const line = text.replace(/\s+/g, ' ')
  if (line === '' || line === ';') return 'nothing'
  return line.length > 60 ? `${line.slice(0, 40)} … ${line.slice(-17)}` : line
}

function isOnlyType(node: ts.Node): boolean {
  return (
    ts.isTypeNode(node) ||
    ts.isTypeParameterDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isImportDeclaration(node) ||
    ts.isExportDeclaration(node)
  )
}

/** Whether all that a statement does is to log. */
function isLog(node: ts.Statement): boolean {
  if (ts.isBlock(node)) return node.statements.length > 0 && node.statements.every(isLog)
  if (ts.isIfStatement(node)) {
    return isLog(node.thenStatement) && (!node.elseStatement || isLog(node.elseStatement))
  }
  if (!ts.isExpressionStatement(node) || !ts.isCallExpression(node.expression)) return false
  return /(^|[.#])debug$/.test(node.expression.expression.getText())
}

/** What a node adds to the name of the place. */
function nameOf(node: ts.Node): string {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  const named =
    ts.isClassDeclaration(node) ||
    ts.isClassElement(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    (ts.isVariableDeclaration(node) && node.parent.parent.parent.kind === ts.SyntaxKind.SourceFile)
  return named ? (node.name?.getText() ?? '') : ''
}

/** What may stand for the whole of a node. */
function replacements(node: ts.Node): string[] {
  const found: string[] = []
  if (node.parent && conditionOf(node.parent) === node) found.push(...decided(node))
  if (ts.isBinaryExpression(node)) found.push(...ofBinary(node))
  else if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    found.push(...ofUnary(node))
  } else if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) {
    found.push(...ofString(node))
  } else if (ts.isNumericLiteral(node)) found.push(...ofNumber(node.getText()))
  else if (ts.isBigIntLiteral(node)) {
    found.push(...ofNumber(node.getText().slice(0, -1)).map((text) => `${text}n`))
  } else if (ts.isRegularExpressionLiteral(node)) found.push(...ofPattern(node.getText()))
  else if (node.kind === ts.SyntaxKind.TrueKeyword) found.push('false')
  else if (node.kind === ts.SyntaxKind.FalseKeyword) found.push('true')
  else if (ts.isArrayLiteralExpression(node)) {
    found.push(node.elements.length > 0 ? '[]' : '[undefined]')
  } else if (ts.isObjectLiteralExpression(node)) {
    if (node.properties.length > 0) found.push('{}')
  } else if (ts.isBlock(node)) {
    if (!isEmptied(node)) found.push('{}')
  } else if (ts.isArrowFunction(node)) found.push(...ofArrow(node))
  else if (ts.isStatement(node)) found.push(...ofStatement(node))
  if (ts.isCallExpression(node)) found.push(...ofCall(node))
  if (ts.isOptionalChain(node)) found.push(...unchained(node))
  return found
}

function conditionOf(node: ts.Node): ts.Node | undefined {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node) || ts.isDoStatement(node)) {
    return node.expression
  }
  return ts.isConditionalExpression(node) || ts.isForStatement(node) ? node.condition : undefined
}

/** A condition that is always met, never met, or the other way round where no operator says so. */
function decided(node: ts.Node): string[] {
  const hasOpposite =
    (ts.isBinaryExpression(node) && compared.includes(node.operatorToken.getText())) ||
    (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken)
  return [...(hasOpposite ? [] : [`!(${node.getText()})`]), 'true', 'false']
}

function ofBinary(node: ts.BinaryExpression): string[] {
  const [left, operator, right] = [node.left, node.operatorToken, node.right].map((part) =>
    part.getText(),
  )
  if (left === undefined || operator === undefined || right === undefined) return []
  // Strings are joined, not added.
  if (operator === '+' && [node.left, node.right].some(isText)) return []
  const others = (swapped[operator] ?? []).map((other) => `${left} ${other} ${right}`)
  return [...others, ...(sided.includes(operator) ? [left, right] : [])]
}

function ofUnary(node: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression): string[] {
  const operand = node.operand.getText()
  if (node.operator === ts.SyntaxKind.PlusPlusToken) {
    return [ts.isPrefixUnaryExpression(node) ? `--${operand}` : `${operand}--`]
  }
  if (node.operator === ts.SyntaxKind.MinusMinusToken) {
    return [ts.isPrefixUnaryExpression(node) ? `++${operand}` : `${operand}++`]
  }
  return [operand]
}

function isText(node: ts.Node): boolean {
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)
}

function ofString(node: ts.StringLiteralLike | ts.TemplateExpression): string[] {
  const { parent } = node
  const text = node.getText().slice(1, -1)
  // A name is no value, and what typeof is compared with is decided by the comparison.
  const isName = 'name' in parent && parent.name === node
  const isTypeof =
    ts.isBinaryExpression(parent) && [parent.left, parent.right].some(ts.isTypeOfExpression)
  if (isName || isTypeof || text.includes(' ')) return []
  return [text === '' ? "'x'" : "''"]
}

function ofNumber(text: string): string[] {
  const number = Number(text.replaceAll('_', ''))
  return number === 0 ? ['1'] : [`${number + 1}`, `${number - 1}`]
}

function ofPattern(text: string): string[] {
  return patterns.flatMap(([find, put]) =>
    [...text.matchAll(find)].map(
      ({ 0: found, index }) => text.slice(0, index) + put + text.slice(index + found.length),
    ),
  )
}

function ofArrow(node: ts.ArrowFunction): string[] {
  if (ts.isBlock(node.body) || node.body.getText() === 'undefined') return []
  const head = node.getText().slice(0, node.body.getStart() - node.getStart())
  return [`${head}undefined`]
}

/** Whether a block is empty, cannot be, or is when its one statement is left out. */
function isEmptied({ statements }: ts.Block): boolean {
  const [first] = statements
  if (first === undefined || callsSuper(first)) return true
  return statements.length === 1 && (isLog(first) || ofStatement(first).length > 0)
}

/** A statement left out, or what it returns. */
function ofStatement(node: ts.Statement): string[] {
  if (ts.isReturnStatement(node)) {
    if (node.expression === undefined) return [';']
    return node.expression.getText() === 'undefined' ? [] : ['return']
  }
  const isRemoved =
    ts.isThrowStatement(node) || ts.isBreakStatement(node) || ts.isContinueStatement(node)
  if (isRemoved) return [';']
  return ts.isExpressionStatement(node) && !callsSuper(node) ? [';'] : []
}

function callsSuper(node: ts.Node): boolean {
  return node.getText().startsWith('super(')
}

function ofCall(node: ts.CallExpression): string[] {
  const { expression } = node
  if (!ts.isPropertyAccessExpression(expression) || expression.questionDotToken) return []
  const object = expression.expression.getText()
  const name = expression.name.text
  const rest = node.getText().slice(expression.getText().length)
  const other = methods[name]
  return [
    ...(other === undefined ? [] : [`${object}.${other}${rest}`]),
    ...(passing.includes(name) ? [object] : []),
  ]
}

/** The same without the question. */
function unchained(node: ts.OptionalChain): string[] {
  if (ts.isNonNullExpression(node) || node.questionDotToken === undefined) return []
  const [text, token] = [node.getText(), node.questionDotToken]
  const at = token.getStart() - node.getStart()
  const dot = ts.isPropertyAccessExpression(node) ? '.' : ''
  return [text.slice(0, at) + dot + text.slice(at + token.getText().length)]
}
