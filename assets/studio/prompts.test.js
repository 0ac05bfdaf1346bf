import assert from "node:assert/strict";
import { test } from "node:test";
import { batchWords, expandedWords, isUntouched, loading } from "./prompts.js";

const saved = {
  id: "p1",
  name: "Fine",
  prompt: "fine scratch",
  negative_prompt: "",
  tags: [],
  engine: "sdxl",
  settings: { steps: 30 },
};

test("a prompt counts what is made with its own words only", () => {
  const state = { prompts: [saved], promptId: "p1", prompt: "fine scratch ", negative: "" };
  assert.equal(isUntouched(state), true);
  assert.equal(isUntouched({ ...state, prompt: "deep scratch" }), false);
  assert.equal(isUntouched({ ...state, promptId: "" }), false);
});

test("a loaded prompt brings its engine where there is one, and leaves other engines' settings", () => {
  const engines = /** @type {any} */ ([{ name: "sdxl" }]);
  const settings = { procedural: { strength: 2 } };
  const words = { promptId: "p1", prompt: "fine scratch", negative: "" };
  const changed = { ...words, engine: "sdxl", settings: { ...settings, sdxl: { steps: 30 } } };
  assert.deepEqual(loading({ engines, settings }, saved), changed);
  assert.deepEqual(loading({ engines: [], settings }, saved), words);
});

test("a batch is told in one sentence", () => {
  const expanded = { prompts: ["a", "b", "c", "d"], each: true, total: 8, error: "" };
  const state = { expanded, where: "random", masks: "this", vary: false, count: "2" };
  assert.equal(
    batchWords(state),
    "2 for each of 4 prompts: 8 candidates on random normal images, with this mask.",
  );
  const one = { prompts: ["a"], each: true, total: 1, error: "" };
  assert.equal(
    batchWords({ expanded: one, where: "this", masks: "different", vary: false, count: 2 }),
    "1 candidate on this image, with this mask.",
  );
  assert.match(batchWords({ ...state, masks: "different" }), /each with a different mask/);
  assert.equal(batchWords({ ...state, expanded: { ...expanded, error: "Too many." } }), "Too many.");
  assert.equal(expandedWords(expanded), "4 prompts from the alternatives");
  assert.match(expandedWords({ ...expanded, each: false }), /such as$/);
});
