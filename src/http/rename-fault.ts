import { SluiceError } from "../domain/errors.ts";
import type { OfferedEvent } from "../domain/event.ts";
import type { EventOutcome } from "../domain/outcome.ts";
import type { Dialect } from "./dialect.ts";

/** An outcome with the vendor's name of the field at fault. What the dialect itself refused has that already. */
export function renameOutcome(
  { fieldName }: Pick<Dialect, "fieldName">,
  outcome: EventOutcome,
  offered: OfferedEvent | undefined,
): EventOutcome {
  if (outcome.kind !== "rejected" || offered === undefined || "refusal" in offered) return outcome;
  const { field, message } = outcome.violation;
  return { ...outcome, violation: { field: field === "" ? "" : fieldName(field), message } };
}

/** What was thrown over a query, with the vendor's names of the fields at fault. */
export function renameFault({ fieldName }: Pick<Dialect, "fieldName">, thrown: unknown): unknown {
  if (!(thrown instanceof SluiceError)) return thrown;
  const violations = thrown.violations.map(({ field, message }) => ({ field: fieldName(field), message }));
  const [first] = violations;
  if (first === undefined) return thrown;
  return new SluiceError(thrown.reason, `${first.field} ${first.message}`, { violations });
}
