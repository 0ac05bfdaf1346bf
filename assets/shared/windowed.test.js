import assert from "node:assert/strict";
import { test } from "node:test";
import { around, MOST } from "./windowed.js";

test("what can be seen is in the middle, and no more than that is shown", () => {
  assert.deepEqual(around(50_000, 1000, 20), { from: 1000 - (MOST - 20) / 2, to: 1000 + (MOST + 20) / 2 });
  assert.deepEqual(around(50_000, 0, 20), { from: 0, to: MOST });
  assert.deepEqual(around(50_000, 49_990, 10), { from: 50_000 - MOST, to: 50_000 });
  assert.deepEqual(around(30, 5, 10), { from: 0, to: 30 });
});
