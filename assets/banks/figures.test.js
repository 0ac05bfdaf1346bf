import assert from "node:assert/strict";
import { test } from "node:test";
import { histogramLayout, histogramLines, rangeOf, shadesOf, tracesOf } from "./figures.js";

const look = {
  ink: "#000000",
  line: "#cccccc",
  muted: "#777777",
  accent: "#0000ff",
  normal: "#888888",
  defect: "#102030",
  painted: "#ff00ff",
  types: ["#aa0000", "#00aa00"],
  family: "sans-serif",
};

/** @param {string} id @param {string} type */
const defect = (id, type) => ({
  id,
  side: /** @type {const} */ ("positive"),
  origin: "real",
  defect_type: type,
  group: "",
});
const map = {
  method: /** @type {const} */ ("pca"),
  x: [0, 1, 2, 3, 4],
  y: [5, 6, 7, 8, 9],
  image: [0, 1, 2, 2, 3],
  row: [0, 0, 0, 1, 0],
  column: [0, 0, 0, 0, 0],
  images: [
    { ...defect("n", ""), side: /** @type {const} */ ("negative") },
    defect("a", "7 <b>"),
    defect("b", "dent"),
    defect("c", "hole"),
  ],
  explained: [0.5, 0.25],
  left_out: 0,
};

test("types beyond the last colour share it", () => {
  const shades = shadesOf(map, "type", look);
  assert.equal(shades.get("Normal"), "#888888");
  assert.equal(shades.get("dent"), "#aa0000");
  assert.equal(shades.get("7 <b>"), "#00aa00");
  assert.equal(shades.get("hole"), "#00aa00");
});

test("every row is one dot of a named trace, and names are text", () => {
  const traces = tracesOf(map, "type", null, look, "scatter");
  const names = traces.map((trace) => "name" in trace && trace.name);
  assert.deepEqual(names, ["Normal (1)", "dent (2)", "7 &lt;b> (1)", "hole (1)"]);
  assert.deepEqual(traces[1].x, [2, 3]);
  assert.equal(
    traces.reduce((sum, trace) => sum + trace.x.length, 0),
    map.x.length,
  );
});

test("a chosen row has a ring, and so have the others of its image", () => {
  const traces = tracesOf(map, "bank", 2, look, "scatter");
  assert.deepEqual(traces.at(-2)?.x, [2, 3]);
  assert.deepEqual(traces.at(-1)?.x, [2]);
});

test("an axis has room, even around a single value", () => {
  assert.deepEqual(rangeOf([0, 100]), [-6, 106]);
  assert.deepEqual(rangeOf([3]), [2, 4]);
});

test("a kind without distances to a bank has no line there", () => {
  const kind = { patches: 1000, beyond: 0, negative: [0.25, 0.75] };
  const found = {
    kinds: [
      { ...kind, name: /** @type {const} */ ("normal"), positive: null },
      { ...kind, name: /** @type {const} */ ("real"), positive: [1, 0] },
    ],
    edges: { negative: [0, 1, 2], positive: [0, 1, 2] },
    visible_from: 1,
  };
  assert.deepEqual(
    histogramLines(found, "positive", look).map((line) => [line.name, line.y, line.fillcolor]),
    [["Real defects (1,000)", [100, 0, 0], "rgba(16, 32, 48, 0.18)"]],
  );
  assert.equal(histogramLines(found, "negative", look).length, 2);
});

test("words at a line that stands late are to its left", () => {
  assert.equal(histogramLayout([0, 1, 2], "N", 1.9, look).annotations[0].xanchor, "right");
  assert.equal(histogramLayout([0, 1, 2], "N", 1, look).annotations[0].xanchor, "left");
  assert.deepEqual(histogramLayout([0, 1, 2], "P", 0, look).shapes, []);
});
