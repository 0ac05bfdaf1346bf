import assert from "node:assert/strict";
import { test } from "node:test";
import { covered, freest } from "./free_place.js";

const ROOM = { left: 0, top: 0, right: 100, bottom: 100 };
const SIZE = { width: 20, height: 10 };
/** @param {[left: number, top: number, right: number, bottom: number]} sides */
const box = (...[left, top, right, bottom]) => ({ left, top, right, bottom });

test("what lies under a box is an area", () => {
  assert.equal(covered(box(0, 0, 10, 10), [box(5, 5, 20, 20), box(-5, 0, 1, 10), box(10, 0, 20, 10)]), 35);
});

test("in an empty window the place is at the bottom, in the middle", () => {
  assert.deepEqual(freest(SIZE, ROOM, [], null), box(40, 90, 60, 100));
});

test("a button in the middle sends it to a side, and a row of them further up", () => {
  assert.deepEqual(freest(SIZE, ROOM, [box(30, 80, 70, 100)], null), box(8, 90, 28, 100));
  const { bottom } = freest(SIZE, ROOM, [box(0, 80, 100, 100)], null);
  assert.ok(bottom <= 80 && bottom > 60);
});

test("where all is full it lies over least", () => {
  const half = [box(0, 0, 100, 50), box(0, 50, 100, 100), box(0, 0, 80, 100)];
  assert.deepEqual(freest(SIZE, ROOM, half, null), box(80, 90, 100, 100));
});

test("a place that it has stays while nothing lies there", () => {
  const before = box(0, 42, 20, 52);
  assert.deepEqual(freest(SIZE, ROOM, [box(0, 90, 100, 100)], before), before);
  assert.notDeepEqual(freest(SIZE, ROOM, [box(0, 45, 100, 50)], before), before);
});

test("its lower right corner stays where it has grown", () => {
  const before = box(20, 42, 40, 52);
  assert.deepEqual(freest({ width: 30, height: 20 }, ROOM, [], before), box(10, 32, 40, 52));
});
