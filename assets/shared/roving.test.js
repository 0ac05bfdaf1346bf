import assert from "node:assert/strict";
import { test } from "node:test";
import { towards } from "./roving.js";

/** Three rows of three, two and one. */
const PLACES = [0, 1, 2, 3, 4, 5].map((at) => ({
  left: 10 * [0, 1, 2, 0, 1, 0][at],
  top: 5 * [0, 0, 0, 1, 1, 2][at],
}));

test("arrow keys go one on or back, and end at the ends", () => {
  assert.equal(towards(PLACES, 2, "ArrowRight"), 3);
  assert.equal(towards(PLACES, 3, "ArrowLeft"), 2);
  assert.equal(towards(PLACES, 0, "ArrowLeft"), 0);
  assert.equal(towards(PLACES, 5, "ArrowRight"), 5);
  assert.equal(towards(PLACES, 3, "Home"), 0);
  assert.equal(towards(PLACES, 3, "End"), 5);
});

test("up and down go to what is nearest in the next row, and nowhere beyond the last", () => {
  assert.equal(towards(PLACES, 1, "ArrowDown"), 4);
  assert.equal(towards(PLACES, 2, "ArrowDown"), 4);
  assert.equal(towards(PLACES, 4, "ArrowDown"), 5);
  assert.equal(towards(PLACES, 5, "ArrowUp"), 3);
  assert.equal(towards(PLACES, 1, "ArrowUp"), 1);
  assert.equal(towards(PLACES, 5, "ArrowDown"), 5);
});
