import assert from "node:assert/strict";
import { test } from "node:test";
import { below, calibratedTicks, differenceTicks, rawTicks } from "./ticks.js";

/** @param {import("./ticks.js").Tick[]} ticks */
const words = (ticks) => ticks.map((tick) => tick.words);

test("the ends, the median and the threshold are the numbers of a raw map", () => {
  const ticks = rawTicks({ low: 0, high: 12, median: 3, threshold: 6 });
  assert.deepEqual(words(ticks), ["6.00 t", "12.00", "0.00", "3.00 m"]);
});

test("what would be printed over the threshold or over an end is left out", () => {
  assert.deepEqual(words(rawTicks({ low: 0, high: 12, median: 0.5, threshold: 6 })), [
    "6.00 t",
    "12.00",
    "0.00",
  ]);
  assert.deepEqual(words(rawTicks({ low: 0, high: 12, median: 3, threshold: 11.5 })), [
    "11.50 t",
    "0.00",
    "3.00 m",
  ]);
});

test("calibrated scales end where the server says", () => {
  assert.deepEqual(
    calibratedTicks([-1, 2]).map(({ value }) => value),
    [2, 1, 0],
  );
  assert.equal(calibratedTicks([-1, 2])[0].words, "2 or\n   more");
  assert.deepEqual(words(differenceTicks([-1.5, 1.5])), ["+1.5", "0 same", "−1.5"]);
});

test("a value beyond the scale stands at its end", () => {
  assert.deepEqual(
    [2, 1, 0, 5, -9].map((value) => below(value, 0, 2)),
    [0, 0.5, 1, 0, 1],
  );
});
