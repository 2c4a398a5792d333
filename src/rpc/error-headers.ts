import type { SluiceError } from "../domain/errors.ts";
import { addQuotaHeaders, addRetryAfter } from "../quota-headers.ts";
import { retryDelayOf } from "./rpc-error.ts";

/** Adds when to try again, and what the rate limits have left where the error knows it. */
export function addErrorHeaders(header: Headers, error: SluiceError): void {
  addRetryAfter(header, retryDelayOf(error));
  addQuotaHeaders(header, error.quotas);
}
