import { checkFilter } from "./check-filter.ts";
import { SluiceError } from "./errors.ts";
import type { EventFilter, FilterQuery } from "./event-filter.ts";
import type { Reader } from "./page-query.ts";
import { invalidFilter } from "./page-query.ts";

/**
 * A filter, narrowed to what its caller may read. Throws FILTER_INVALID, also when it names an environment that the
 * caller's project does not have: nothing would tell that from one without events. A caller who is bound to some gets
 * ENVIRONMENT_FORBIDDEN for any other, be there one of that name or not.
 */
export function narrowFilter(
  query: FilterQuery,
  { environments, project }: Pick<Reader, "environments" | "project">,
): EventFilter {
  checkFilter(query);
  const { environment, ...rest } = query;
  if (environment === "") return { ...rest, environments };
  const field = "filter.environment";
  if (environments.length > 0 && !environments.includes(environment)) {
    const message = "is none that this key may read";
    throw new SluiceError("ENVIRONMENT_FORBIDDEN", `${field} ${message}`, { violations: [{ field, message }] });
  }
  const known = project.settings.environments;
  if (known.length > 0 && !known.includes(environment)) throw invalidFilter(field, "is none of the project's");
  return { ...rest, environments: [environment] };
}
