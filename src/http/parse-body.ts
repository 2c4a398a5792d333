import { isUtf8 } from "node:buffer";
import type { JsonValue } from "@bufbuild/protobuf";
import { SluiceError } from "../domain/errors.ts";
import { parseForm } from "./parse-form.ts";
import { RequestRefused } from "./refusal.ts";

/** What a body says, and whether it is a form. */
export interface ParsedBody {
  readonly body: JsonValue;
  readonly isForm: boolean;
}

/**
 * Parses a body. JSON is taken whatever it is called, as clients forget to say so: curl calls it a form. Throws MALFORMED,
 * or a RequestRefused of 415 for what is neither in name nor in fact what it should be.
 */
export function parseBody(bytes: Buffer, contentType: string | undefined, takesForms: boolean): ParsedBody {
  if (!isUtf8(bytes)) throw new SluiceError("MALFORMED", "the body is not valid UTF-8");
  const text = bytes.toString("utf8");
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (takesForms && type === "application/x-www-form-urlencoded" && !isObjectLike(text)) {
    return { body: parseForm(text), isForm: true };
  }
  try {
    return { body: JSON.parse(text), isForm: false };
  } catch {
    // What the parser says quotes the body.
    if (type === "" || type === "text/plain" || /^application\/(?:.*\+)?json$/.test(type) || isObjectLike(text)) {
      throw new SluiceError("MALFORMED", "the body is not valid JSON");
    }
    const message = `the body has to be JSON${takesForms ? " or a form" : ""}, and is not, by its name or in fact`;
    throw new RequestRefused(415, "UNSUPPORTED_MEDIA_TYPE", message);
  }
}

/** No form begins so. */
function isObjectLike(text: string): boolean {
  return /^\s*\{/.test(text);
}
