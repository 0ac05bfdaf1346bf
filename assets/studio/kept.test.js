import assert from "node:assert/strict";
import { test } from "node:test";
import { elsewhere, fromText, toText } from "./kept.js";
import { ALL_RESULTS, FORM, FRESH, VIEW } from "./state.js";

test("what is kept comes back, in the form that earlier versions wrote", () => {
  const filter = { ...ALL_RESULTS, status: "pending", engine: "sdxl" };
  const text = toText({ ...FRESH, dataset: "tiles", prompt: "rusty pits", shownId: "c1", filter });
  const { view } = JSON.parse(text);
  assert.deepEqual([view.shown, view.status, view.engine], ["c1", "pending", "sdxl"]);
  assert.deepEqual(fromText(text), {
    form: { ...FORM, prompt: "rusty pits" },
    view: { ...VIEW, shownId: "c1", filter },
    dataset: "tiles",
  });
});

test("nothing, nonsense and a part of it are a fresh start for the rest", () => {
  const fresh = { form: FORM, view: VIEW, dataset: "" };
  assert.deepEqual([fromText(""), fromText("{")], [fresh, fresh]);
  assert.equal(fromText('{"form": {"seed": 7}}').form.seed, 7);
  assert.equal(fromText('{"form": {"seed": 7}}').form.count, FORM.count);
});

test("masks and images do not follow into another data set, words do", () => {
  const form = { ...FORM, prompt: "pits", parent: "c1", drawn: { layer: "data:", base: "" } };
  assert.deepEqual(elsewhere(form), { ...FORM, prompt: "pits" });
});
