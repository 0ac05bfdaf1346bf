import assert from "node:assert/strict";
import { test } from "node:test";
import { aboutDistances, aboutLeftOut, keyOf, nameOf, sourceOf, typeOf, typesByRows } from "./words.js";

/**
 * @param {string} id
 * @param {import("./words.js").Side} side
 * @param {Partial<import("./words.js").BankImage>} [more]
 */
const image = (id, side, more = {}) => ({ id, side, origin: "real", defect_type: "", group: "", ...more });

const map = {
  method: /** @type {const} */ ("pca"),
  x: [0, 1, 2, 3],
  y: [0, 0, 0, 0],
  image: [0, 1, 2, 2],
  row: [5, 6, 7, 8],
  column: [1, 2, 3, 4],
  images: [
    image("plates/ok/1.png", "negative"),
    image("plates/bad/2.png", "positive", { defect_type: "dent" }),
    image("ab12", "positive", { origin: "synthetic", defect_type: "scratch" }),
  ],
  explained: [],
  left_out: 1,
};

test("an image has a source, a type and a short name", () => {
  assert.deepEqual(map.images.map(sourceOf), ["Normal image", "Real defect", "Painted defect"]);
  assert.deepEqual(map.images.map(typeOf), ["Normal", "dent", "scratch"]);
  assert.deepEqual(map.images.map(nameOf), ["ok/1.png", "bad/2.png", "painted ab12"]);
  assert.equal(nameOf(image("file:/home/anna/cache/uploads/ab/tile 3.jpg#17960", "positive")), "tile 3.jpg");
  assert.equal(typeOf(image("a/b", "positive")), "No type");
});

test("types come by their number of rows, without normal ones", () => {
  assert.deepEqual(typesByRows(map), ["scratch", "dent"]);
});

test("two rows of one image have keys of their own", () => {
  assert.equal(keyOf(map, 2), "positive ab12 7 3");
  assert.notEqual(keyOf(map, 2), keyOf(map, 3));
});

test("rows that the map leaves out are counted where the wanted map is shown", () => {
  assert.equal(aboutLeftOut(map, true), " 1 row is not on this map. ");
  assert.equal(aboutLeftOut(map, false), "");
  assert.equal(aboutLeftOut({ ...map, left_out: 0 }, true), "");
});

test("what lies past the line is told of each kind of defect", () => {
  const normal = {
    name: /** @type {const} */ ("normal"),
    patches: 9,
    beyond: 0.01,
    negative: [],
    positive: null,
  };
  const found = { edges: {}, visible_from: 1 };
  assert.match(aboutDistances({ ...found, kinds: [normal] }), /knows no defects/);
  const real = { ...normal, name: /** @type {const} */ ("real"), beyond: 0.5 };
  const painted = { ...normal, name: /** @type {const} */ ("synthetic"), beyond: 0.0123 };
  const told = aboutDistances({ ...found, kinds: [normal, real, painted] });
  assert.match(told, /50 % of patches on real defects and 1\.2 % of patches on painted ones/);
  assert.equal(aboutDistances({ ...found, kinds: [], failed: "Too old." }), "Too old.");
});
