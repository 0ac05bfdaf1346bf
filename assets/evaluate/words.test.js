import assert from "node:assert/strict";
import { test } from "node:test";
import { endOf, factsOf, figuresLine, inspectUrl, lasted, listed } from "./words.js";

/**
 * @param {string} id
 * @param {Partial<import("./words.js").Line>} [more]
 * @returns {import("./words.js").Line}
 */
const line = (id, more = {}) => ({
  id,
  kind: "table1",
  title: "Table 1",
  dataset: "plates",
  called: "plates",
  how: "test split",
  created: "2026-01-02T03:04:05+00:00",
  seconds: 90,
  complete: true,
  figures: [],
  ...more,
});

const runs = [
  line("c", { figures: [["ExDD full", 0.8]] }),
  line("b", { kind: "sweep", dataset: "tiles", figures: [["50", null]] }),
  line("a", {
    figures: [
      ["PatchCore", 0.9],
      ["ExDD", null],
    ],
  }),
];

test("the list is filtered and sorted, and stays as it was", () => {
  /** @param {Partial<import("./words.js").Filters>} filters */
  const ids = (filters) => listed(runs, { kind: "", of: "", sort: "newest", ...filters }).map(({ id }) => id);
  assert.deepEqual(ids({}), ["c", "b", "a"]);
  assert.deepEqual(ids({ sort: "oldest" }), ["a", "b", "c"]);
  assert.deepEqual(ids({ sort: "best" }), ["a", "c", "b"]);
  assert.deepEqual(ids({ kind: "sweep" }), ["b"]);
  assert.deepEqual(ids({ of: "plates", sort: "oldest" }), ["a", "c"]);
  assert.deepEqual(ids({}), ["c", "b", "a"]);
});

test("figures that are missing are not told", () => {
  assert.deepEqual(runs.map(figuresLine), ["full 80.0", "", "PatchCore 90.0"]);
  assert.equal(figuresLine(line("d", { kind: "sweep", figures: [["50", 0.5]] })), "50: 50.0");
});

test("facts tell what there is", () => {
  const result = /** @type {any} */ ({ images: 12, defective: 5, synthetic: ["x"] });
  assert.match(
    factsOf(runs[0], result),
    /^test split · 12 images, 5 with a defect · 1 synthetic defect · measured .* in 2 min$/,
  );
  assert.match(factsOf(runs[0], /** @type {any} */ ({})), /^test split · measured /);
});

test("a time is told in its unit", () => {
  assert.deepEqual([0.2, 59, 90, 5400].map(lasted), ["1 s", "59 s", "2 min", "1.5 h"]);
});

test("a job that ended says what is left of it", () => {
  const job = /** @type {any} */ ({ title: "T", state: "cancelled", kind: "sweep" });
  assert.match(endOf(job), /^“T” was cancelled\. The results so far were saved/);
  assert.match(endOf({ ...job, kind: "table1" }), /Nothing was saved\.$/);
  assert.match(endOf({ ...job, state: "interrupted" }), /Resume it in Jobs above\.$/);
});

test("an address names the image, and the bank version where there is one", () => {
  assert.equal(inspectUrl("a/b c.png", "v1"), "./?image=a%2Fb%20c.png&bank=v1");
  assert.equal(inspectUrl("a", undefined), "./?image=a");
});
