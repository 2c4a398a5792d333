import { checkFilter } from "./check-filter.ts";
import { SluiceError } from "./errors.ts";
import type { EventFilter, FilterQuery } from "./event-filter.ts";
import type { Reader } from "./page-query.ts";

/**
 * A filter, narrowed to what its caller may read. Throws FILTER_INVALID, and ENVIRONMENT_FORBIDDEN when it names an
 * environment that the caller may not read.
 */
export function narrowFilter(query: FilterQuery, { environments }: Pick<Reader, "environments">): EventFilter {
  checkFilter(query);
  const { environment, ...rest } = query;
  if (environment === "") return { ...rest, environments };
  if (environments.length > 0 && !environments.includes(environment)) {
    const field = "filter.environment";
    const message = "is none that this key may read";
    throw new SluiceError("ENVIRONMENT_FORBIDDEN", `${field} ${message}`, { violations: [{ field, message }] });
  }
  return { ...rest, environments: [environment] };
}
