import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Grant, Permission } from "../../src/domain/access.ts";
import { createAccess, digestKey, requireAnyPermission } from "../../src/domain/access.ts";
import { newProject } from "../support/events.ts";

const key = "a-key-for-tests-only";

function grantOf(permissions: readonly Permission[]): Grant {
  return { project: newProject(), keyName: "test", permissions: new Set(permissions), environments: [] };
}

describe("digestKey", () => {
  it("is the SHA-256 in hex", () => {
    expect(digestKey(key)).toBe(createHash("sha256").update(key).digest("hex"));
  });
});

describe("createAccess", () => {
  const grant = grantOf(["track"]);
  const access = createAccess(() => new Map([[digestKey(key), grant]]));

  it.each([`Bearer ${key}`, `bearer ${key}`, `BEARER   ${key} `])("says what the key opens: %j", (header) => {
    expect(access.authenticate(header)).toBe(grant);
  });

  it.each([
    ["no header", undefined, "KEY_MISSING"],
    ["an empty header", "", "KEY_MISSING"],
    ["the scheme alone", "Bearer ", "KEY_MISSING"],
    ["another scheme", `Basic ${key}`, "KEY_MISSING"],
    ["a key without a scheme", key, "KEY_MISSING"],
    ["two keys", `Bearer ${key} ${key}`, "KEY_MISSING"],
    ["an unknown key", "Bearer nobody-has-this-one", "KEY_INVALID"],
    ["the digest instead of the key", `Bearer ${digestKey(key)}`, "KEY_INVALID"],
    ["the key with another case", `Bearer ${key.toUpperCase()}`, "KEY_INVALID"],
  ])("throws for %s, and does not repeat it", (_, header, reason) => {
    const authenticate = () => access.authenticate(header);

    expect(authenticate).toThrow(expect.objectContaining({ reason }));
    expect(authenticate).not.toThrow(key);
  });

  it("asks for the grants at each call, so that a key that is taken away opens nothing any more", () => {
    let grants = new Map([[digestKey(key), grant]]);
    const changing = createAccess(() => grants);
    expect(changing.authenticate(`Bearer ${key}`)).toBe(grant);
    grants = new Map();

    expect(() => changing.authenticate(`Bearer ${key}`)).toThrow(expect.objectContaining({ reason: "KEY_INVALID" }));
  });
});

describe("requireAnyPermission", () => {
  it.each<[Permission[], Permission[], boolean]>([
    [["track"], ["track"], true],
    [["list"], ["track"], false],
    [[], ["track"], false],
    [["list"], ["track", "list"], true],
    [["track", "list"], ["list"], true],
    [[], ["track", "list"], false],
  ])("with %j, for any of %j: %s", (has, anyOf, isEnough) => {
    const require = () => requireAnyPermission(grantOf(has), anyOf);

    if (isEnough) expect(require).not.toThrow();
    else expect(require).toThrow(expect.objectContaining({ reason: "PERMISSION_MISSING" }));
  });
});
