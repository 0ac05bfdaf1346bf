import assert from "node:assert/strict";
import { test } from "node:test";
import { grown, withoutHoles } from "./mask_shapes.js";

/** @param {...string} rows @returns {[Uint8Array, number, number]} */
const drawn = (...rows) => [
  Uint8Array.from(rows.join(""), (c) => Number(c === "#")),
  rows[0].length,
  rows.length,
];

/** @param {ArrayLike<number>} mask @param {number} width */
const rows = (mask, width) =>
  Array.from({ length: mask.length / width }, (_, y) =>
    Array.from({ length: width }, (_, x) => (mask[y * width + x] ? "#" : ".")).join(""),
  );

test("a mask grows and shrinks by a disc", () => {
  const dot = drawn(".....", ".....", "..#..", ".....", ".....");
  assert.deepEqual(rows(grown(...dot, 1), 5), [".....", "..#..", ".###.", "..#..", "....."]);
  assert.deepEqual(rows(grown(...dot, 2), 5), ["..#..", ".###.", "#####", ".###.", "..#.."]);
  const square = drawn(".....", ".###.", ".###.", ".###.", ".....");
  assert.deepEqual(rows(grown(...square, -1), 5), [".....", ".....", "..#..", ".....", "....."]);
  assert.deepEqual(rows(grown(...square, 0), 5), rows(square[0], 5));
  const [empty] = drawn("...", "...");
  assert.ok(grown(empty, 3, 2, 5).every((value) => value === 0));
  assert.ok(grown(empty, 3, 2, -1).every((value) => value === 0));
});

test("growing agrees with the distance of every pixel to every other", () => {
  const [width, height, by] = [13, 9, 3];
  const mask = Uint8Array.from({ length: width * height }, (_, at) => Number((at * 7919) % 23 === 0));
  const slow = mask.map((_, at) =>
    Number(
      mask.some(
        (value, other) =>
          value &&
          ((at % width) - (other % width)) ** 2 + (Math.floor(at / width) - Math.floor(other / width)) ** 2 <=
            by ** 2,
      ),
    ),
  );
  assert.deepEqual(rows(grown(mask, width, height, by), width), rows(slow, width));
});

test("holes are filled, bays that reach the edge are not", () => {
  const ring = drawn("####.", "#..#.", "####.", "#.#..");
  assert.deepEqual(rows(withoutHoles(...ring), 5), ["####.", "####.", "####.", "#.#.."]);
});
