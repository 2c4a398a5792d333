/** The code of a system error that was caught, such as `ENOENT`; undefined for anything else. */
export function errorCode(caught: unknown): string | undefined {
  if (!(caught instanceof Error) || !("code" in caught)) return undefined;
  return typeof caught.code === "string" ? caught.code : undefined;
}

/** What was caught, in words, for a longer message to quote. */
export function errorText(caught: unknown): string {
  return caught instanceof Error ? caught.message : String(caught);
}
