import assert from "node:assert/strict";
import { test } from "node:test";
import { boxOf, fit, keptInSight, wheeled, WHOLE, zoomTo } from "./geometry.js";

/** @type {[number, number]} */
const pane = [824, 424];
/** @type {[number, number]} */
const size = [400, 400];

test("the whole picture lies in the middle of the pane", () => {
  assert.deepEqual(fit(pane, size), { scale: 1, left: 212, top: 12 });
});

test("a box holds every point of every line, and none is none", () => {
  assert.deepEqual(
    boxOf([
      [
        [3, 4],
        [5, 9],
      ],
      [[2, 6]],
    ]),
    [2, 4, 4, 6],
  );
  assert.equal(boxOf([]), null);
});

test("a small defect in the middle is zoomed to the middle of the pane", () => {
  const { k, x } = zoomTo(pane, size, [190, 190, 20, 20]);
  assert.ok(k > 1);
  assert.ok(Math.abs(212 + x + 200 * k - 412) < 1e-9);
});

test("a defect of a few pixels is shown with at least 64 pixels of what is around it", () => {
  const { scale } = fit(pane, size);
  const { k } = zoomTo(pane, size, [200, 200, 3, 4]);
  assert.ok(Math.abs(Math.min(pane[0], pane[1]) / (scale * k) - 64) < 1e-9);
});

test("a defect at the edge shows nothing outside the image, a large one shows all", () => {
  const { k, x } = zoomTo(pane, size, [0, 0, 10, 10]);
  assert.ok(k > 1 && Math.abs(212 + x) < 1e-9);
  assert.deepEqual(zoomTo(pane, size, [0, 0, 400, 400]), WHOLE);
});

test("what lies below the pointer stays there when the wheel turns", () => {
  const place = fit(pane, size);
  const { k, x } = wheeled(WHOLE, place, [312, 112], -500);
  assert.ok(k > 1);
  assert.ok(Math.abs((312 - place.left - x) / k - (312 - place.left)) < 1e-9);
  assert.deepEqual(wheeled({ k: 1.1, x: 3, y: 4 }, place, [0, 0], 5000), WHOLE);
});

test("a zoomed picture cannot be moved out of sight", () => {
  const zoom = keptInSight({ k: 2, x: 9999, y: -9999 }, pane, size);
  assert.equal(212 + zoom.x, (pane[0] * 3) / 4);
  assert.equal(12 + zoom.y + 800, pane[1] / 4);
  assert.equal(keptInSight(WHOLE, pane, size), WHOLE);
});
