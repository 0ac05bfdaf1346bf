import assert from "node:assert/strict";
import { test } from "node:test";
import { grown, OWN } from "./growing.js";

const NONE = { height: 0, rows: 0, held: false };
const shown = grown(NONE, { height: 90, rows: 1 }, Infinity);

test("a table's first rows are shown whole, and so is what was asked for", () => {
  assert.deepEqual(shown, { height: 90, rows: 1, held: false });
  assert.deepEqual(grown(shown, { height: 150, rows: 2 }, OWN), { height: 150, rows: 2, held: false });
});

test("rows that nobody asked for leave a table as high as it was, until it is no higher than that", () => {
  const held = grown(shown, { height: 150, rows: 2 }, OWN + 1);
  assert.deepEqual(held, { height: 90, rows: 2, held: true });
  assert.deepEqual(grown(held, { height: 170, rows: 2 }, 0), { height: 90, rows: 2, held: true });
  assert.deepEqual(grown(held, { height: 90, rows: 1 }, Infinity), { height: 90, rows: 1, held: false });
});

test("a row that only grows, and a table that shrinks, are shown whole", () => {
  assert.deepEqual(grown(shown, { height: 110, rows: 1 }, Infinity), { height: 110, rows: 1, held: false });
  assert.deepEqual(grown(shown, { height: 70, rows: 2 }, Infinity), { height: 70, rows: 2, held: false });
});
