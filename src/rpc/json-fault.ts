/** What is wrong with JSON, in words that quote nothing of it: errors of decoders do. */
export function toJsonFault(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : "";
  if (/^cannot decode [\w.]+ from JSON: maximum recursion depth of \d+ reached$/.test(text))
    return "it is nested too deep";
  return /^cannot decode (?:field|message) [\w.]+ from JSON/.exec(text)?.[0] ?? "it is not valid JSON";
}
