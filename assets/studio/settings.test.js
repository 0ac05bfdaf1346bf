import assert from "node:assert/strict";
import { test } from "node:test";
import {
  changedSettings,
  isReady,
  missingParts,
  rangeWords,
  readNumber,
  shownValue,
  splitControls,
  valueOf,
  withDefault,
  withMissing,
  withSetting,
} from "./settings.js";

/** @param {string} name @param {Partial<import("./settings.js").Control>} [more] */
const control = (name, more = {}) => ({
  name,
  title: name,
  kind: /** @type {const} */ ("number"),
  default: 1,
  minimum: 0,
  maximum: 2,
  step: null,
  unit: "",
  help: "",
  choices: [],
  ...more,
});

/** @param {string} name @param {Partial<import("./settings.js").Engine>} [more] */
const engine = (name, more = {}) => ({
  name,
  title: name,
  about: "",
  missing: "",
  command: "",
  controls: [control("strength"), control("steps", { default: 20 })],
  words: false,
  lends: false,
  loads: false,
  teaches: false,
  axes: [],
  ...more,
});

test("only what differs from the default is sent; a setting can be set back", () => {
  const state = { engines: [engine("a")], engine: "a", settings: {} };
  const set = { ...state, settings: withSetting(state, "strength", 1.5) };
  assert.equal(valueOf(set, control("strength")), 1.5);
  assert.deepEqual(changedSettings(set), { strength: 1.5 });
  assert.deepEqual(changedSettings({ ...set, settings: withSetting(set, "strength", 1) }), {});
  assert.deepEqual(withSetting(set, "strength", undefined), { a: {} });
  assert.deepEqual(state.settings, {});
});

test("another default leaves all other controls as they are", () => {
  const engines = [engine("a"), engine("b", { controls: [control("lora", { kind: "text", default: "" })] })];
  const changed = withDefault(engines, "lora", "mine");
  assert.deepEqual(changed?.[0], engines[0]);
  assert.equal(changed?.[1].controls[0].default, "mine");
  assert.equal(changed && withDefault(changed, "lora", "mine"), null);
});

test("what an engine lacks is told to that engine alone", () => {
  const engines = [engine("a", { missing: "x" }), engine("b", { missing: "Teach it." })];
  assert.deepEqual(withMissing(engines, "b", ""), [engines[0], { ...engines[1], missing: "" }]);
  assert.equal(withMissing(engines, "a", "x"), null);
});

test("six settings are in sight, never a text", () => {
  const text = control("words", { kind: "text" });
  const controls = [text, ..."abcdefg".split("").map((name) => control(name))];
  const { first, rest } = splitControls(controls);
  assert.equal(first.map(({ name }) => name).join(""), "abcdef");
  assert.deepEqual(
    rest.map(({ name }) => name),
    ["words", "g"],
  );
});

test("an engine that misses something, or no image, is not ready", () => {
  const engines = [engine("a"), engine("b", { missing: "Weights." })];
  assert.equal(isReady({ engines, engine: "a", source: "x" }), true);
  assert.equal(isReady({ engines, engine: "b", source: "x" }), false);
  assert.equal(isReady({ engines, engine: "a", source: "" }), false);
});

test("values are told in words, and what is no number is the default", () => {
  assert.equal(shownValue(control("on", { kind: "switch" }), false), "off");
  assert.equal(shownValue(control("style", { kind: "text" }), ""), "none");
  assert.equal(rangeWords(control("strength", { help: "how much" })), "0 to 2: ");
  assert.equal(rangeWords(control("strength", { minimum: null })), "");
  assert.deepEqual([readNumber(control("a"), ""), readNumber(control("a"), "0.5")], [1, 0.5]);
});

test("the command that is missing stands by itself", () => {
  const command = "hf download x";
  const missing = `No weights. Run: ${command}. Then reload.`;
  assert.deepEqual(missingParts({ missing, command }), ["No weights. Run:", command, "Then reload."]);
  assert.deepEqual(missingParts({ missing: "No weights.", command: "" }), ["No weights."]);
});
