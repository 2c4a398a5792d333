import { callLimits, eventLimits } from "./event.ts";
import type { FilterQuery, PropertyScalar } from "./event-filter.ts";
import { invalidFilter } from "./page-query.ts";
import { findTextFault } from "./query-text.ts";

/** Throws FILTER_INVALID for the first part of a filter that is out of the contract's bounds. */
export function checkFilter(filter: FilterQuery): void {
  const { names, identity, environment, values, valueMin, valueMax, receivedFromMs, receivedUntilMs } = filter;
  checkCount("filter.names", names.length, callLimits.filterNames);
  for (const [i, name] of names.entries()) checkText(`filter.names[${i}]`, name, 1, eventLimits.nameLength);
  if (identity !== undefined) {
    checkText("filter.identity.kind", identity.kind, 1, eventLimits.identityKindLength);
    checkText("filter.identity.id", identity.id, 1, eventLimits.identityLength);
  }
  checkText("filter.environment", environment, 0, eventLimits.environmentLength);
  checkCount("filter.values", values.length, callLimits.filterValues);
  for (const [i, value] of values.entries()) checkNumber(`filter.values[${i}]`, value);
  checkNumber("filter.value_min", valueMin);
  checkNumber("filter.value_max", valueMax);
  if (valueMin !== undefined && valueMax !== undefined && valueMax < valueMin) {
    throw invalidFilter("filter.value_max", "is below value_min");
  }
  checkProperties(filter.properties);
  if (receivedFromMs !== undefined && receivedUntilMs !== undefined && receivedUntilMs < receivedFromMs) {
    throw invalidFilter("filter.receive_time_until", "is before receive_time_from");
  }
}

function checkProperties(properties: FilterQuery["properties"]): void {
  checkCount("filter.properties", properties.size, callLimits.filterProperties);
  for (const [name, scalars] of properties) {
    const fault = findTextFault(name, 1, eventLimits.propertyNameLength);
    // Such a name belongs in no path.
    if (fault !== undefined) throw invalidFilter("filter.properties", `has a name that ${fault}`);
    const field = `filter.properties["${name}"]`;
    if (scalars.length === 0) throw invalidFilter(field, "has none");
    checkCount(field, scalars.length, callLimits.filterValues);
    for (const scalar of scalars) checkScalar(field, scalar);
  }
}

/** The field is the property's, whichever of its scalars it is: in the contract, a property has but one. */
function checkScalar(field: string, scalar: PropertyScalar): void {
  if (typeof scalar === "string") checkText(field, scalar, 0, callLimits.filterPropertyLength);
  if (typeof scalar === "number") checkNumber(field, scalar);
}

function checkCount(field: string, count: number, countMax: number): void {
  if (count > countMax) throw invalidFilter(field, `has more than ${countMax}`);
}

function checkText(field: string, text: string, lengthMin: number, lengthMax: number): void {
  const fault = findTextFault(text, lengthMin, lengthMax);
  if (fault !== undefined) throw invalidFilter(field, fault);
}

function checkNumber(field: string, value: number | undefined): void {
  if (value !== undefined && !Number.isFinite(value)) throw invalidFilter(field, "is not finite");
}
