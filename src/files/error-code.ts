/** What names the fault that was caught: the code of a system error such as `ENOENT`, else its text. */
export function errorCode(caught: unknown): string {
  if (!(caught instanceof Error)) return String(caught);
  return "code" in caught && typeof caught.code === "string" ? caught.code : caught.message;
}
