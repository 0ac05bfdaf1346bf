import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fixed,
  labelOf,
  meaning,
  otherScore,
  outcome,
  percent,
  scoreOf,
  scoreWords,
  truthOf,
} from "./words.js";

/** @param {string | null} label @param {string} [type] */
const image = (label, type = "") => ({ id: "a", name: "a.png", label, type, ratio: 1 });

/** @type {import("./words.js").Side} */
const side = {
  score: 123.4567,
  threshold: 99.5,
  calibrated: -0.25,
  verdict: "normal",
  probability: null,
  reason: "",
};

test("numbers have two digits, large ones one, and a real minus", () => {
  assert.deepEqual([1.005, -0.256, 99.994, 123.45].map(fixed), ["1.00", "−0.26", "99.99", "123.5"]);
});

test("a probability is never said to be certain", () => {
  assert.deepEqual([0.999, 0.874, 0.005, 0.004].map(percent), ["over 99 %", "87 %", "1 %", "under 1 %"]);
});

test("a verdict against the truth is a missed defect, a false alarm, or what it says", () => {
  assert.deepEqual(outcome(image("defect"), "cannot judge").is, "unknown");
  assert.equal(outcome(image("normal"), "cannot judge").kind, "unknown");
  assert.equal(outcome(image("defect"), "normal").is, "missed");
  assert.equal(outcome(image("normal"), "defect").is, "false");
  assert.deepEqual(outcome(image("defect"), "defect"), { kind: "defect", words: "Defect", is: "" });
  assert.deepEqual(outcome(image(null), "defect"), { kind: "defect", words: "Defect", is: "" });
  assert.deepEqual(outcome(image("normal"), "normal"), { kind: "normal", words: "Normal", is: "" });
  for (const label of ["defect", "normal", null])
    assert.equal(outcome(image(label), "not sure").words, "Not sure");
});

test("the truth is the type of the defect where it is known", () => {
  assert.deepEqual([image("defect", "crack"), image("defect"), image("normal"), image(null)].map(labelOf), [
    "crack",
    "defect",
    "normal",
    "unknown",
  ]);
  assert.equal(truthOf(image("defect", "crack")), "Truth: defect, crack");
  assert.equal(truthOf(image("defect", "defect")), "Truth: defect");
  assert.equal(truthOf(image(null)), "Truth unknown");
});

test("the head shows one score, the note the other one with its threshold", () => {
  assert.equal(fixed(scoreOf(side, "raw")), "123.5");
  assert.equal(fixed(scoreOf(side, "calibrated")), "−0.25");
  assert.equal(otherScore(side), "threshold 99.50, calibrated −0.25");
});

test("a verdict means what its thresholds guarantee", () => {
  assert.equal(
    meaning({ promised: 0.05, doubt: 0.8 }),
    "Calibrated: above 0.80 not sure, above 1 a defect. The threshold is guaranteed: at most 5 % of normal " +
      "images of new parts lie above.",
  );
  assert.match(meaning({ promised: null, doubt: 1 }), /^Calibrated: above 1 a defect\. .*not guaranteed/);
});

test("the button says which images are scored", () => {
  assert.equal(scoreWords(0, 8, true), "All scored");
  assert.equal(scoreWords(8, 8, false), "Score all 8");
  assert.equal(scoreWords(3, 8, false), "Score 3 more");
  assert.equal(scoreWords(8, 8, true), "Score 8 again");
});
