import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fitted,
  keptInSight,
  paneHeight,
  pixelAt,
  placeOf,
  visibleColumns,
  WHOLE,
  zoomedAt,
  zoomedTo,
} from "./geometry.js";

const pane = { width: 300, height: 200 };
const fit = fitted({ width: 100, height: 100 }, pane);

test("an image is as large as its pane allows, in the middle of it", () => {
  assert.deepEqual(fit, { width: 200, height: 200, scale: 2, left: 50, top: 0 });
  const wide = fitted({ width: 600, height: 100 }, pane);
  assert.deepEqual(wide, { width: 300, height: 50, scale: 0.5, left: 0, top: 75 });
});

test("the pixel under the wheel stays where it is", () => {
  const place = /** @type {const} */ ([120, 90]);
  const zoom = zoomedAt({ k: 1.5, x: -10, y: 5 }, fit, [...place], 2);
  assert.equal(zoom.k, 3);
  const before = pixelAt([...place], fit, { k: 1.5, x: -10, y: 5 });
  pixelAt([...place], fit, zoom).forEach((value, at) => assert.ok(Math.abs(value - before[at]) < 1e-9));
});

test("the wheel ends at the whole image and at forty times it", () => {
  assert.equal(zoomedAt({ k: 1.5, x: -10, y: 5 }, fit, [120, 90], 0.1), WHOLE);
  assert.equal(zoomedAt({ k: 30, x: 0, y: 0 }, fit, [120, 90], 9).k, 40);
});

test("a quarter of the pane still shows the image, however far it is dragged", () => {
  assert.deepEqual(keptInSight({ k: 1, x: 999, y: 999 }, fit, pane), { k: 1, x: 175, y: 150 });
  assert.deepEqual(keptInSight({ k: 1, x: -999, y: -999 }, fit, pane), { k: 1, x: -175, y: -150 });
  assert.deepEqual(keptInSight({ k: 2, x: 10, y: -20 }, fit, pane), { k: 2, x: 10, y: -20 });
});

test("the place of a pixel is the place of its centre", () => {
  const zoom = { k: 2, x: -30, y: 10 };
  assert.deepEqual(pixelAt(placeOf({ x: 12, y: 34 }, fit, zoom), fit, zoom), [12.5, 34.5]);
});

test("the panes keep one screen, but one that is alone takes the room below", () => {
  const image = { width: 100, height: 400 };
  const given = { image, width: 250, top: 300, screen: 800 };
  assert.equal(paneHeight({ ...given, isAlone: false }), 456);
  assert.equal(paneHeight({ ...given, screen: 1200, isAlone: false }), 604);
  // The defect at the lower end of a tall image is on the screen, with its pane's head above it.
  const portrait = { image: { width: 256, height: 632 }, width: 270, top: 460, screen: 900, isAlone: false };
  assert.ok(460 + 44 + paneHeight(portrait) <= 900);
  assert.equal(paneHeight({ ...given, isAlone: true }), 412);
  assert.equal(paneHeight({ ...given, image: { width: 400, height: 100 }, isAlone: false }), 176);
  assert.equal(paneHeight({ ...given, image: { width: 100, height: 100 }, isAlone: false }), 250);
});

test("a pane that is alone has the scale that belongs to it", () => {
  assert.deepEqual(visibleColumns(0, false), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(
    [1, 2, 3, 4].map((solo) => visibleColumns(solo, false)),
    [
      [0, 5],
      [1, 3],
      [2, 3],
      [4, 5],
    ],
  );
  assert.deepEqual(visibleColumns(4, true), [0, 2, 3]);
});

test("a box that is zoomed to lies in the middle and fills a third of the pane at most", () => {
  const large = fitted({ width: 1000, height: 1000 }, pane);
  const zoom = zoomedTo([100, 200, 200, 250], large, pane);
  assert.equal(zoom.k, 5); // 300 pixels of the pane over 100 of the image, a third of that, at scale 0.2
  const corners = /** @type {const} */ ([
    [100, 200],
    [200, 250],
  ]).map(([x, y]) => placeOf({ x: x - 0.5, y: y - 0.5 }, large, zoom));
  assert.deepEqual(corners, [
    [100, 75],
    [200, 125],
  ]);
  assert.equal(zoomedTo([0, 0, 90, 90], fit, pane), WHOLE);
});

test("around a speck at least 64 pixels are seen", () => {
  const large = fitted({ width: 1000, height: 1000 }, pane);
  const { k } = zoomedTo([500, 500, 503, 504], large, pane);
  assert.ok(Math.min(pane.width, pane.height) / (large.scale * k) >= 64 - 1e-9);
  const corner = zoomedTo([0, 996, 3, 1000], large, pane); // the pane is full of the image there
  assert.equal(Math.round(placeOf({ x: -0.5, y: 0 }, large, corner)[0]), 0);
  assert.equal(Math.round(placeOf({ x: 0, y: 999.5 }, large, corner)[1]), pane.height);
});
