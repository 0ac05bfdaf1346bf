import assert from "node:assert/strict";
import { test } from "node:test";
import { studioAddress } from "./more_like.js";

const picture = (/** @type {number} */ lines) =>
  /** @type {any} */ ({ truth: { lines: Array(lines).fill([[0, 0]]) } });
const result = (/** @type {string[]} */ actions, surface = "demo/good/1 2.png") =>
  /** @type {any} */ ({ marks: actions.map((action) => ({ action })), surface });

test("an image with a mask or a mark leads to Studio, with the surface nearest to it", () => {
  const id = "demo/defect & co/3.png";
  const query = new URLSearchParams(
    studioAddress({ id, picture: picture(1), result: result([]) }).split("?")[1],
  );
  assert.deepEqual(Object.fromEntries(query), { like: id, surface: "demo/good/1 2.png" });
  assert.ok(studioAddress({ id, picture: picture(0), result: result(["missed"]) }));
});

test("nothing to paint like: no mask, no mark, a false alarm, no image", () => {
  assert.equal(studioAddress({ id: "a", picture: picture(0), result: result(["false_alarm"]) }), "");
  assert.equal(studioAddress({ id: "a", picture: picture(0), result: null }), "");
  assert.equal(studioAddress({ id: null, picture: null, result: null }), "");
});
