/** What is wrong with JSON, in words that quote nothing of it: errors of decoders do. */
export function toJsonFault(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : "";
  return /^cannot decode (?:field|message) [\w.]+ from JSON/.exec(text)?.[0] ?? "it is not valid JSON";
}
