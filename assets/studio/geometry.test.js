import assert from "node:assert/strict";
import { test } from "node:test";
import {
  dragged,
  fit,
  inSight,
  paneHeight,
  pixelAt,
  placeOf,
  WHOLE,
  zoomedAt,
  zoomedTo,
} from "./geometry.js";

/** @type {import("./geometry.js").Size} */
const IMAGE = [100, 100];
/** @type {import("./geometry.js").Size} */
const PANE = [224, 224];

test("an image fits with a margin on every side", () => {
  assert.deepEqual(fit(IMAGE, PANE), { scale: 2, left: 12, top: 12 });
  assert.deepEqual(fit([100, 50], PANE), { scale: 2, left: 12, top: 62 });
  assert.equal(paneHeight(IMAGE, 500, 1000), 500);
  assert.equal(paneHeight(IMAGE, 900, 400), 400);
  assert.equal(paneHeight([900, 100], 500, 1000), 96);
  assert.deepEqual(
    [219, 67, 300].map((room) => paneHeight(IMAGE, 900, room)),
    [291, 240, 320],
  );
});

test("the place under the pointer stays when the wheel zooms", () => {
  /** @type {import("./geometry.js").Point} */
  const pointer = [80, 60];
  const zoom = zoomedAt(WHOLE, IMAGE, PANE, pointer, 3);
  const fitted = fit(IMAGE, PANE);
  const [before, after] = [WHOLE, zoom].map((one) => pixelAt(pointer, fitted, one, 1));
  assert.ok(Math.abs(before[0] - after[0]) < 1e-9 && Math.abs(before[1] - after[1]) < 1e-9);
  assert.deepEqual(zoomedAt(zoom, IMAGE, PANE, pointer, 0.1), WHOLE);
});

test("a quarter of the pane keeps the image, and a box comes to the middle", () => {
  assert.equal(inSight({ k: 2, x: 9999, y: 0 }, IMAGE, PANE).x, 156);
  const zoom = zoomedTo([40, 40, 20, 20], IMAGE, PANE);
  assert.ok(zoom.k > 1.5);
  assert.deepEqual(placeOf([50, 50], fit(IMAGE, PANE), zoom, 1).map(Math.round), [112, 112]);
  assert.deepEqual(zoomedTo([0, 0, 100, 100], IMAGE, PANE), WHOLE);
});

test("a mask of a few pixels is shown with the surface around it", () => {
  const { k } = zoomedTo([500, 500, 3, 4], [1024, 1024], PANE);
  assert.equal(Math.round(PANE[0] / (fit([1024, 1024], PANE).scale * k)), 64); // pixels across the pane
  const corner = zoomedTo([1020, 0, 3, 4], [1024, 1024], PANE);
  const ends = [
    placeOf([0, 0], fit([1024, 1024], PANE), corner, 1)[1],
    placeOf([1024, 0], fit([1024, 1024], PANE), corner, 1)[0],
  ];
  assert.deepEqual(ends.map(Math.round), [0, PANE[0]]); // the pane is full of the image
});

test("a piece is moved, turned by coarse steps, and scaled", () => {
  const placed = { x: 0.5, y: 0.5, angle: 0, scale: 1 };
  assert.deepEqual(dragged("move", placed, [50, 50], [60, 40], IMAGE, false), { x: 0.6, y: 0.4 });
  assert.deepEqual(dragged("turn", placed, [50, 0], [100, 50], IMAGE, false), { angle: 90 });
  assert.deepEqual(dragged("turn", placed, [50, 0], [98, 45], IMAGE, true), { angle: 90 });
  assert.deepEqual(dragged("size", placed, [60, 50], [70, 50], IMAGE, false), { scale: 2 });
});
