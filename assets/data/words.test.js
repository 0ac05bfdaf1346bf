import assert from "node:assert/strict";
import { test } from "node:test";
import { brushesFor, captionOf, nextBrush, percent, shareWords } from "./words.js";

test("a share that is not all or nothing is never rounded to it", () => {
  assert.deepEqual([0, 0.004, 0.25, 0.996, 1].map(percent), [
    "0 %",
    "under 1 %",
    "25 %",
    "over 99 %",
    "100 %",
  ]);
});

test("the line under the picture tells what is drawn or proposed", () => {
  const drawn = { undoable: true, redoable: false, empty: false, share: 0.5 };
  const layer = /** @type {any} */ ({});
  const proposal = { layer: null, base: "", share: 0 };
  assert.equal(shareWords({ drawn, proposal: null }), "50 % of the image counts");
  assert.equal(shareWords({ drawn, proposal }), "Reading the normal images…");
  assert.equal(
    shareWords({ drawn, proposal: { ...proposal, layer, share: 0.2 } }),
    "20 % of the image would count",
  );
  assert.match(shareWords({ drawn: { ...drawn, empty: true }, proposal: null }), /^Nothing is drawn/);
});

test("a caption counts from one and tells of images of another size", () => {
  const { words, title } = captionOf({
    picture: "",
    layer: "",
    base: "",
    name: "a.png",
    label: "normal",
    index: 1,
    number: 2000,
    size: [128, 96],
    shown: [128, 96],
    others: "1 image of another size",
  });
  assert.equal(words, "a.png · normal · 2 of 2,000");
  assert.equal(title, "128 × 96 pixels; 1 image of another size");
});

test("a brush always grows or shrinks by a pixel at least, within its limits", () => {
  assert.deepEqual(brushesFor([4000, 3000]), { largest: 1000, first: 250 });
  assert.deepEqual(brushesFor([10, 10]), { largest: 8, first: 2 });
  assert.deepEqual([nextBrush(1, 8, true), nextBrush(2, 8, false), nextBrush(8, 8, true)], [2, 1, 8]);
  assert.equal(nextBrush(1, 8, false), 1);
});
