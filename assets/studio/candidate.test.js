import assert from "node:assert/strict";
import { test } from "node:test";
import {
  changesBetween,
  editing,
  isComparable,
  isPlaceable,
  isSameList,
  madeWords,
  reusing,
  showing,
} from "./candidate.js";
import { FORM, FRESH } from "./state.js";

/** @param {string} id @param {Partial<import("./candidate.js").Candidate>} [more] */
const candidate = (id, more = {}) => ({
  id,
  prompt: "scratch",
  title: "Procedural",
  engine: "procedural",
  seed: 1,
  status: "pending",
  isThere: true,
  source: "demo/a.png",
  width: 10,
  height: 10,
  outline: [],
  negative_prompt: "",
  prompt_id: "",
  settings: { strength: 1 },
  settings_shown: [{ name: "strength", title: "Strength", value: "1" }],
  version: "1",
  mask: { source: "real", image: "demo/d.png", x: 0.1, y: 0.2, angle: 3, scale: 2, flip: true, vary: false },
  mask_key: "m",
  donor: "",
  defect_type: "scratch",
  notes: [],
  parent: "",
  seconds: 1,
  created: "",
  compares_prompts: false,
  ...more,
});

test("the result shown before stays the previous one", () => {
  const [a, b] = [candidate("a"), candidate("b")];
  assert.deepEqual(showing({ shown: a, previous: null, pinned: null }, b), {
    shown: b,
    shownId: "b",
    previous: a,
  });
  assert.equal(showing({ shown: b, previous: a, pinned: null }, b).previous, a);
  assert.equal(showing({ shown: b, previous: b, pinned: a }, candidate("c")).previous, a);
  assert.equal(isComparable(a, b), true);
  assert.equal(isComparable(a, candidate("c", { width: 11 })), false);
  assert.equal(isComparable(null, b), false);
});

test("what differs is named, with values where they can be read", () => {
  const settings_shown = [{ name: "strength", title: "Strength", value: "2" }];
  const other = candidate("b", { seed: 7, mask_key: "n", settings_shown });
  assert.deepEqual(changesBetween(candidate("a"), other), [
    { title: "seed", values: "1 → 7" },
    { title: "mask", values: null },
    { title: "strength", values: "1 → 2" },
  ]);
  assert.deepEqual(changesBetween(other, other), []);
  const engine = candidate("b", { engine: "sdxl", title: "SDXL", settings_shown });
  assert.deepEqual(changesBetween(candidate("a"), engine), [
    { title: "engine", values: "Procedural → SDXL" },
  ]);
});

test("a borrowed mask is placed again, one that varied comes as it was drawn", () => {
  const real = candidate("a");
  assert.equal(isPlaceable(real), true);
  const form = editing(FRESH, real, null);
  assert.deepEqual(
    [form.kind, form.real],
    ["real", { image: "demo/d.png", x: 0.1, y: 0.2, angle: 3, scale: 2, flip: true }],
  );
  assert.deepEqual(
    [form.parent, form.settings, "donors" in form],
    ["a", { procedural: { strength: 1 } }, false],
  );
  const varied = candidate("b", { mask: { ...real.mask, vary: true, from_test: true } });
  assert.equal(isPlaceable(varied), false);
  const drawn = { layer: "data:", base: "f" };
  const edited = editing(FRESH, varied, drawn);
  assert.deepEqual([edited.kind, edited.drawn, edited.vary, edited.donors], ["drawn", drawn, false, null]);
});

test("a shape is edited with the values that it was made of", () => {
  const shapes = { spot: [/** @type {any} */ ({ name: "length", default: 10 })] };
  const mask = { source: "generated", shape: "spot", x: 0.3, y: 0.4, seed: 9, length: 40, vary: false };
  const form = editing({ ...FRESH, shapes }, candidate("a", { mask }), null);
  assert.deepEqual(form.generated, { shape: "spot", x: 0.3, y: 0.4, seed: 9, length: 40 });
});

test("a cell lends its prompt where prompts were compared only", () => {
  const cell = candidate("a", { prompt: "pits", prompt_id: "p" });
  assert.equal("prompt" in reusing(FORM, cell), false);
  assert.equal(reusing(FORM, { ...cell, compares_prompts: true }).promptId, "p");
});

test("a list is the same while ids and states are", () => {
  const list = [candidate("a"), candidate("b")];
  assert.equal(
    isSameList(
      list,
      list.map((one) => ({ ...one })),
    ),
    true,
  );
  assert.equal(isSameList(list, [list[0], { ...list[1], status: "accepted" }]), false);
  assert.equal(isSameList(list, [list[0]]), false);
});

test("how long it took is told in whole seconds from ten on", () => {
  assert.equal(madeWords(candidate("a", { seconds: 9.96 })), "pending, painted in 10.0 s");
  assert.equal(
    madeWords(candidate("a", { seconds: 12.4, parent: "0123456789" })),
    "pending, painted in 12 s, edited from 012345",
  );
});
