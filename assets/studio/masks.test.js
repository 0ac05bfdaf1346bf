import assert from "node:assert/strict";
import { test } from "node:test";
import {
  brushAt,
  brushOn,
  isMovable,
  maskSpec,
  measuredWords,
  nextBrush,
  placedAt,
  sliders,
  sliderWords,
  stepOf,
} from "./masks.js";
import { FORM, FRESH } from "./state.js";

/** @param {string} name @param {number} minimum @param {number} maximum @param {number} step */
const slider = (name, minimum, maximum, step) =>
  /** @type {import("./settings.js").Control} */ ({
    name,
    title: name,
    kind: "number",
    default: 0,
    minimum,
    maximum,
    step,
    unit: "°",
    help: "",
    choices: [],
  });

test("each kind of mask sends its own part of the form", () => {
  const shared = { vary: false, prior: true, from_test: false };
  assert.deepEqual(maskSpec(FORM), { source: "drawn", ...shared, layer: "", base: "" });
  assert.deepEqual(maskSpec({ ...FORM, kind: "uploaded" }), { source: "uploaded", ...shared, file: "" });
  const real = maskSpec({ ...FORM, kind: "real" });
  assert.deepEqual(real, { source: "real", ...shared, ...FORM.real, image: "" });
  const generated = maskSpec({ ...FORM, kind: "generated" });
  assert.deepEqual(generated, { source: "generated", ...shared, ...FORM.generated });
});

test("a mask that varies, is drawn or not yet chosen cannot be moved", () => {
  assert.equal(isMovable({ ...FORM, kind: "generated" }), true);
  assert.equal(isMovable({ ...FORM, kind: "generated", vary: true }), false);
  assert.equal(isMovable({ ...FORM, kind: "real" }), false);
  assert.equal(isMovable({ ...FORM, kind: "real", real: { ...FORM.real, image: "" } }), true);
  assert.equal(isMovable(FORM), false);
});

test("a mask is moved within the limits of its sliders, and moving has no slider", () => {
  const borrowed = [slider("x", 0, 1, 0.01), slider("angle", -180, 180, 1)];
  const state = { ...FRESH, kind: /** @type {const} */ ("real"), borrowed };
  assert.deepEqual(placedAt(state, { x: 1.4, angle: 30 }), { real: { ...FORM.real, x: 1, angle: 30 } });
  assert.deepEqual(
    sliders(state).map(({ name }) => name),
    ["angle"],
  );
});

test("values are told with as many digits as their step has", () => {
  assert.equal(sliderWords(slider("angle", -180, 180, 1), -30), "−30°");
  assert.equal(sliderWords({ ...slider("a", 0, 1, 0.5), unit: "px" }, 2), "2.0 px");
  assert.equal(sliderWords({ ...slider("a", 0, 1, 0.01), unit: "" }, 2), "2.00");
  assert.equal(
    measuredWords({ problem: "", note: "", share: 0.0854, box: [0, 0, 140, 40] }),
    "8.54 % of the image · 140 × 40 px",
  );
  assert.equal(measuredWords({ problem: "", note: "", share: 0, box: null }), "");
});

test("the brush has limits that follow the image, and its range is even in factors", () => {
  const picture = {
    ...{ id: "", name: "", number: 0, image: "" },
    width: 4000,
    height: 3000,
    editor: /** @type {[number, number]} */ ([1000, 750]),
  };
  assert.deepEqual([brushAt(0, picture), brushAt(100, picture)], [4, 1000]);
  assert.ok(Math.abs(stepOf(brushAt(45, picture), picture) - 45) < 1);
  assert.equal(brushOn({ brush: 1, picture }), 4);
  assert.deepEqual(
    [nextBrush({ brush: 24, picture }, true), nextBrush({ brush: 24, picture }, false)],
    [30, 19],
  );
  assert.equal(nextBrush({ brush: 1000, picture }, true), 1000);
});
