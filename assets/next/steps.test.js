import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenStep, dismissedOf } from "./steps.js";

const steps = ["pending", "thin"].map((kind) => ({ kind, said: "", button: "", link: "", ticks: [] }));

test("a dismissed kind gives way to the next one", () => {
  assert.equal(chosenStep(steps, [])?.kind, "pending");
  assert.equal(chosenStep(steps, ["pending"])?.kind, "thin");
  assert.equal(chosenStep(steps, ["thin", "pending"]), undefined);
});

test("what is remembered may be anything", () => {
  assert.deepEqual(dismissedOf(""), []);
  assert.deepEqual(dismissedOf("{nonsense"), []);
  assert.deepEqual(dismissedOf('["thin", 3]'), ["thin"]);
});
