import { describe, expect, it } from "vitest";
import { findShapeFault } from "./refusal-shape.ts";

const json = { "content-type": "application/json; charset=utf-8" };

describe("findShapeFault", () => {
  it.each([
    ["split", 400, json, '{"code":400,"message":"no"}'],
    ["split", 401, {}, ""],
    ["dx", 429, json, '{"ok":false,"error":"too_many_requests","message":"no"}'],
    ["bloomreach", 400, json, '{"success":false,"errors":["no"]}'],
    ["oppizi", 404, json, '{"success":false,"error":"no"}'],
  ])("finds none in a refusal of %s, %i", (entrance, status, headers, body) => {
    expect(findShapeFault(entrance, { status, headers, body })).toBeUndefined();
  });

  it.each([
    ["another status in it", "split", 413, json, '{"code":400,"message":"no"}'],
    ["a body where there is none", "split", 401, json, '{"code":401,"message":"no"}'],
    ["no body where there is one", "split", 400, {}, ""],
    ["another type", "dx", 400, { "content-type": "text/plain" }, '{"ok":false,"error":"no","message":"no"}'],
    ["a field more", "dx", 400, json, '{"ok":false,"error":"no","message":"no","stack":""}'],
    ["success", "oppizi", 400, json, '{"success":true,"error":"no"}'],
    ["no reason", "bloomreach", 400, json, '{"success":false,"errors":[]}'],
    ["no schema for its dialect", "made-up", 400, json, "{}"],
  ])("finds %s", (_, entrance, status, headers, body) => {
    expect(findShapeFault(entrance, { status, headers, body })).toEqual(expect.any(String));
  });
});
