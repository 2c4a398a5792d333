/** What was caught, in words, for a longer message to quote. */
export function errorText(caught: unknown): string {
  return caught instanceof Error ? caught.message : String(caught);
}
