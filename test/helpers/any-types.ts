/* Where the types of a module say `any`, which is also what becomes of a type that cannot be found. */
import ts from 'typescript'

const isAny = (type: ts.Type | undefined): boolean => type !== undefined && (type.flags & ts.TypeFlags.Any) !== 0

/**
 * The places in the exports of `file`, as in `sqliteStore().database`, that are `any`. Looks into the types that `isOurs` says
 * are the package's own, and into what those are made of.
 */
export function anyTypes (program: ts.Program, file: string, isOurs: (file: string) => boolean): string[] {
  const checker = program.getTypeChecker()
  const found: string[] = []
  const seen = new Set<ts.Type>()
  const declaredByUs = (symbol: ts.Symbol | undefined): boolean => symbol?.declarations?.some((node) => isOurs(node.getSourceFile().fileName)) ?? false

  const look = (type: ts.Type, place: string): void => {
    if (isAny(type)) found.push(place)
    if (seen.has(type)) return
    seen.add(type)
    if (type.isUnionOrIntersection()) for (const part of type.types) look(part, place)
    for (const argument of type.aliasTypeArguments ?? []) look(argument, `${place}<>`)
    const parameters = (type as ts.TypeReference).target?.typeParameters ?? []
    for (const [index, argument] of checker.getTypeArguments(type as ts.TypeReference).entries()) {
      // As in AsyncIterable<T>, whose others are `any` by themselves.
      if (!isAny(parameters[index]?.getDefault())) look(argument, `${place}<>`)
    }
    if (declaredByUs(type.symbol)) for (const { type: value } of checker.getIndexInfosOfType(type)) look(value, `${place}[]`)
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      if (signature.declaration === undefined || !isOurs(signature.declaration.getSourceFile().fileName)) continue
      for (const parameter of signature.getParameters()) look(checker.getTypeOfSymbol(parameter), `${place}(${parameter.name})`)
      look(signature.getReturnType(), `${place}()`)
    }
    for (const property of type.getProperties()) if (declaredByUs(property) && !property.name.startsWith('#')) look(checker.getTypeOfSymbol(property), `${place}.${property.name}`)
  }

  const source = program.getSourceFile(file)!
  for (const entry of checker.getExportsOfModule(checker.getSymbolAtLocation(source)!)) {
    const symbol = entry.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(entry) : entry
    if (symbol.flags & ts.SymbolFlags.Value) look(checker.getTypeOfSymbol(symbol), entry.name)
    if (symbol.flags & ts.SymbolFlags.Type) look(checker.getDeclaredTypeOfSymbol(symbol), entry.name)
    if (!(symbol.flags & (ts.SymbolFlags.Value | ts.SymbolFlags.Type))) found.push(entry.name)
  }
  return found
}
