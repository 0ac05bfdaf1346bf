import assert from "node:assert/strict";
import { test } from "node:test";
import { linked, timeOf } from "./words.js";

test("a sentence that names the page to go to leads there", () => {
  assert.deepEqual(linked("Import images on the Data page first.", ""), [
    { words: "Import images on the " },
    { words: "Data page", href: "./data" },
    { words: " first." },
  ]);
  assert.deepEqual(linked("Resume it in Jobs above.", "")[1], { words: "Jobs above", href: "#jobs" });
  assert.deepEqual(linked("Look in Inspect", "banks")[1], { words: "Inspect", href: "./" });
});

test("nothing leads to the page that is open, nor a word that only looks like one", () => {
  for (const [words, here] of [
    ["Import images in Data.", "data"],
    ["Look in Inspect.", ""],
    ["Lost in Datasets; written to Databanks.", ""],
  ])
    assert.deepEqual(linked(words, here), [{ words }]);
  assert.deepEqual(linked("", ""), []);
});

test("what was today has its time, what was on another day its date, too", () => {
  const now = new Date(2026, 2, 14, 18, 0);
  const at = (/** @type {Date} */ time) => timeOf(time.toISOString(), now);
  assert.equal(at(new Date(2026, 2, 14, 14, 5)), "14:05");
  assert.equal(at(new Date(2026, 2, 13, 9, 5)), "13 Mar 09:05");
  assert.equal(at(new Date(2025, 2, 14, 9, 5)), "14 Mar 09:05"); // of another year
});
