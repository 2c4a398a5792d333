import type { SluiceError } from "../domain/errors.ts";
import type { AnswerHeaders } from "../quota-headers.ts";
import { addQuotaHeaders, addRetryAfter } from "../quota-headers.ts";
import { retryDelayOf } from "./rpc-error.ts";

/** Adds when to try again, and what the rate limits have left where the error knows it. */
export function addErrorHeaders(headers: AnswerHeaders, error: SluiceError): void {
  addRetryAfter(headers, retryDelayOf(error));
  addQuotaHeaders(headers, error.quotas);
}
