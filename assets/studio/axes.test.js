import assert from "node:assert/strict";
import { test } from "node:test";
import {
  axisNames,
  axisTitle,
  firstAxes,
  gridProblem,
  gridWords,
  numbersHelp,
  promptOptions,
  readLines,
  readNumbers,
  spread,
} from "./axes.js";

const control = /** @type {import("./settings.js").Control} */ ({
  name: "strength",
  title: "Strength",
  kind: "number",
  default: 1,
  minimum: 0,
  maximum: 2,
  step: 0.1,
  unit: "",
  help: "",
  choices: [],
});
const engine = /** @type {import("./settings.js").Engine} */ (
  /** @type {unknown} */ ({ controls: [control], axes: ["strength", "gone"] })
);

test("an engine's axes are its settings that exist, then what every engine has", () => {
  assert.deepEqual(axisNames(engine), [
    "strength",
    "prompt",
    "negative_prompt",
    "engine",
    "mask_shape",
    "seed",
  ]);
  assert.deepEqual(
    ["strength", "seed", ""].map((name) => axisTitle(engine, name)),
    ["Strength", "Seed", "Nothing"],
  );
});

test("the axes of the last time are taken where they fit", () => {
  const names = axisNames(engine);
  assert.deepEqual(firstAxes(names, { x: "", y: "" }), { x: "strength", y: "" });
  assert.deepEqual(firstAxes(names, { x: "seed", y: "prompt" }), { x: "seed", y: "prompt" });
  assert.deepEqual(firstAxes(names, { x: "seed", y: "seed" }), { x: "seed", y: "" });
  assert.deepEqual(firstAxes(["seed"], { x: "guidance", y: "" }), { x: "seed", y: "" });
});

test("values spread around the one that is set, within the limits", () => {
  assert.deepEqual(spread(control, 1), [0.5, 1, 1.5, 2]);
  assert.deepEqual(spread(control, 2), [1, 2]);
  assert.deepEqual(spread(control, 0), [0.3, 0.5, 0.8, 1]);
  const steps = { ...control, kind: /** @type {const} */ ("integer"), step: null, minimum: 1, maximum: null };
  assert.deepEqual(spread(steps, 20), [10, 20, 24]);
});

test("values are read once each", () => {
  assert.deepEqual(readNumbers("1, 2;2  x 3"), [1, 2, 3]);
  assert.deepEqual(readLines("smooth\n\nsmooth "), ["smooth", ""]);
  assert.equal(numbersHelp(control), "0 to 2, separated by commas");
  assert.equal(numbersHelp(undefined), "separated by commas");
});

test("prompts of the template come first and are ticked", () => {
  const prompts = /** @type {any} */ ([{ prompt: "pits" }, { prompt: "a" }]);
  const expanded = { prompts: ["a", "b", "c"], each: true, total: 3, error: "" };
  const made = promptOptions({ expanded, prompts, prompt: "{a|b|c}", cells: 36 });
  assert.deepEqual(made, { options: ["a", "b", "c", "pits"], ticked: 3 });
  const one = promptOptions({ expanded: { ...expanded, each: false }, prompts, prompt: "a", cells: 36 });
  assert.deepEqual(one, { options: ["a", "pits"], ticked: 2 });
});

test("a grid says how large it is, or what is wrong", () => {
  assert.match(gridWords([3, 2]), /^3 × 2 = 6 candidates: /);
  assert.match(gridWords([1]), /^1 candidate: /);
  assert.equal(gridProblem([3, 0], 36), "Each axis needs at least one value.");
  assert.equal(gridProblem([7, 6], 36), "That would be 42 cells; a comparison has at most 36.");
  assert.equal(gridProblem([6, 6], 36), "");
});
