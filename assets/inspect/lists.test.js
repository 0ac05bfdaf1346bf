import assert from "node:assert/strict";
import { test } from "node:test";
import {
  arranged,
  COLUMNS,
  filtersShown,
  passing,
  sortedBy,
  unscored,
  withRows,
  datasetOf,
} from "./lists.js";

/** @typedef {import("./words.js").Verdict} Verdict */

/** @param {string} id @param {string | null} label */
const image = (id, label) => ({ id, name: `${id}.png`, label, type: "", ratio: 1 });

/** @param {number} calibrated @param {Verdict} verdict @param {number | null} [probability] */
const side = (calibrated, verdict, probability = null) => ({
  ...{ score: 10 - calibrated, threshold: 5, reason: "" },
  ...{ calibrated, verdict, probability },
});

/** @param {Verdict} patchcore @param {Verdict} exdd @param {number} calibrated */
const row = (patchcore, exdd, calibrated, stale = false) => ({
  patchcore: side(calibrated, patchcore),
  exdd: side(calibrated, exdd, calibrated / 10),
  stale,
});

/** @type {import("./lists.js").Listed} */
const listed = {
  images: [image("a2", "normal"), image("a10", "defect"), image("b", "defect"), image("c", "normal")],
  rows: new Map([
    ["a2", row("normal", "defect", 3)],
    ["a10", row("defect", "normal", 1, true)],
    ["b", row("defect", "not sure", 2)],
  ]),
  marked: new Set(["b"]),
  filter: "all",
  sort: null,
  values: "calibrated",
};

/** @param {string} key */
const ids = (key) => passing(listed, key).map(({ id }) => id);

test("a filter passes what its name says; an image without scores has no verdict", () => {
  assert.deepEqual(ids("all"), ["a2", "a10", "b", "c"]);
  assert.deepEqual(ids("false"), ["a2"]);
  assert.deepEqual(ids("missed"), ["a10"]);
  assert.deepEqual(ids("doubt"), ["b"]);
  assert.deepEqual(ids("disagree"), ["a2", "a10", "b"]);
  assert.deepEqual(ids("normal"), ["a2", "c"]);
  assert.deepEqual(ids("passed"), ["a10"]);
  assert.deepEqual(ids("marked"), ["b"]);
});

test("where no truth is known the verdict is filtered by, and marks only where there are some", () => {
  const keys = (/** @type {Partial<import("./lists.js").Listed>} */ changes) =>
    filtersShown({ ...listed, ...changes }).map(({ key }) => key);
  assert.deepEqual(keys({}), ["all", "missed", "false", "doubt", "disagree", "defect", "normal", "marked"]);
  const images = [image("b", null)];
  assert.deepEqual(keys({ images }), ["all", "doubt", "disagree", "found", "passed", "marked"]);
  const none = new Set(/** @type {string[]} */ ([]));
  assert.ok(!keys({ marked: none }).includes("marked"));
  assert.ok(keys({ marked: none, filter: "marked" }).includes("marked")); // the filter is set
});

test("a column of numbers is sorted from the highest, one of words from the first", () => {
  const [name, , , , score] = COLUMNS.map((_, column) => column);
  const first = sortedBy(null, score);
  assert.deepEqual(first, { column: score, way: -1 });
  assert.deepEqual(arranged({ ...listed, sort: first }), ["a2", "b", "a10", "c"]);
  const again = sortedBy(first, score);
  assert.deepEqual(arranged({ ...listed, sort: again }), ["a10", "b", "a2", "c"]); // images without a score come last
  assert.deepEqual(arranged({ ...listed, sort: first, values: "raw" }), ["a10", "b", "a2", "c"]);
  assert.deepEqual(sortedBy(again, name), { column: name, way: 1 });
  assert.deepEqual(arranged({ ...listed, sort: { column: name, way: 1 } }), ["a2", "a10", "b", "c"]);
  assert.deepEqual(arranged({ ...listed, filter: "defect", sort: first }), ["b", "a10"]);
});

test("what was scored before the bank changed is to be scored again", () => {
  assert.deepEqual(
    unscored(listed).map(({ id }) => id),
    ["a10", "c"],
  );
});

test("the rows of an answer replace those of before; where it has none the Map is the same", () => {
  const { rows, seen } = withRows(
    { rows: listed.rows, seen: 5 },
    { rows: { c: row("normal", "normal", 0) }, seen: 7 },
  );
  assert.deepEqual([...rows.keys()], ["a2", "a10", "b", "c"]);
  assert.equal(seen, 7);
  assert.equal(listed.rows.size, 3);
  const none = withRows({ rows, seen }, {});
  assert.equal(none.rows, rows);
  assert.equal(none.seen, 7);
});

test("a list of a data set names it; folders and uploads belong to none", () => {
  assert.equal(datasetOf("tiles/two/test"), "tiles/two");
  assert.equal(datasetOf("folder:/a/b"), "");
  assert.equal(datasetOf("uploads"), "");
});
