import assert from "node:assert/strict";
import { test } from "node:test";
import { judged, pointOf, tested } from "./counting.js";
import {
  aboutMethod,
  csvOf,
  doubtsOf,
  figureOf,
  pairedDifferences,
  percent,
  rated,
  signed,
} from "./figures.js";

test("shares are percent, and a difference has a sign", () => {
  assert.deepEqual([percent(0.1234), percent(1, 0), percent(null)], ["12.3", "100", "–"]);
  assert.deepEqual([signed(-0.012), signed(0), signed(undefined)], ["−1.2", "+0.0", "–"]);
  assert.equal(rated(0.05), "5 %");
});

test("a pixel figure says where there are no masks", () => {
  const result = /** @type {any} */ ({ masks: { missing: 3, used: 0 } });
  assert.equal(figureOf(result, "aupro", null), "no masks");
  assert.equal(figureOf(result, "image_auroc", null), "–");
  assert.equal(figureOf(result, "aupro", 0.5), "50.0");
});

test("a method names what it learned from and its fusions", () => {
  const data = /** @type {any} */ ({
    titles: { patchcore: "PatchCore", exdd: "ExDD (real and synthetic)" },
    result: { fusion: ["ratio", "ratio"] },
  });
  assert.equal(aboutMethod(data, "exdd"), "real and synthetic · fusion ratio");
  assert.equal(aboutMethod(data, "patchcore"), "");
});

test("of many comparisons those with the first method are told", () => {
  const titles = { a: "A", b: "B", c: "C", d: "D" };
  /** @param {string} method @param {string} against */
  const one = (method, against) => ({ method, against, metric: "image_auroc" });
  const few = [one("b", "a"), one("c", "b")];
  const many = [...few, one("d", "a"), one("d", "c")];
  /** @param {object[]} comparisons */
  const told = (comparisons) =>
    pairedDifferences(/** @type {any} */ ({ titles, result: { comparisons } })).map(([pair]) => pair.method);
  assert.deepEqual(told(few), ["b", "c"]);
  assert.deepEqual(told(many), ["b", "d"]);
  assert.deepEqual(told([]), []);
});

test("doubts are told where there are any", () => {
  assert.equal(doubtsOf({ normal: 1, defect: 2 }), "not sure: 1 normal image, 2 defects");
  assert.equal(doubtsOf({ normal: 0, defect: 0 }), "");
  assert.equal(doubtsOf(undefined), "");
});

test("a table is kept as text with quotes where they are needed", () => {
  assert.equal(
    csvOf([
      ["a", 'b "c"'],
      [1, "d,e"],
    ]),
    'a,"b ""c"""\n1,"d,e"\n',
  );
});

test("a threshold is counted, and what it misses comes in order", () => {
  const images = tested({
    id: ["a", "b", "c", "d", "e"],
    group: [],
    label: ["defect", "defect", "normal", "normal", "defect"],
    defect_type: ["dent", "dent", "", "", "hole"],
  });
  const counts = judged(images, [0.9, 0.5, 1.5, 1, 1.2], 1);
  assert.deepEqual(
    [counts.missed.map(({ id }) => id), counts.alarms.map(({ id }) => id)],
    [["b", "a"], ["c"]],
  );
  assert.deepEqual(counts.types, [
    { type: "dent", count: 2, found: 0 },
    { type: "hole", count: 1, found: 1 },
  ]);
  assert.deepEqual(pointOf(counts), { false: 0.5, found: 1 / 3, right: 0.5 });
  const none = judged([], [], 1);
  assert.deepEqual(pointOf(none), { false: null, found: null, right: null });
});
