import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore } from "./store.js";

test("a patch calls the listeners of its fields once, with the new state", () => {
  const store = createStore({ image: "a", zoom: 1, marks: 0 });
  /** @type {unknown[]} */
  const seen = [];
  store.subscribe(["image", "zoom"], (state) => seen.push({ ...state }));
  store.patch({ image: "b", zoom: 2 });
  store.patch({ marks: 5 });
  assert.deepEqual(seen, [{ image: "b", zoom: 2, marks: 0 }]);
  assert.deepEqual(store.get(), { image: "b", zoom: 2, marks: 5 });
});

test("the same value again is no change, a new list is one", () => {
  const list = ["a"];
  const store = createStore({ list });
  let calls = 0;
  store.subscribe(["list"], () => calls++);
  store.patch({ list });
  assert.equal(calls, 0);
  store.patch({ list: [...list] });
  assert.equal(calls, 1);
});

test("a listener that patches leaves the newest state to those after it", () => {
  const store = createStore({ image: "a", score: 0 });
  /** @type {number[]} */
  const scores = [];
  store.subscribe(["image"], () => store.patch({ score: 7 }));
  store.subscribe(["image"], ({ score }) => scores.push(score));
  store.patch({ image: "b" });
  assert.deepEqual(scores, [7]);
});

test("who has left is not called, not even by the patch during which they left", () => {
  const store = createStore({ image: "a" });
  let calls = 0;
  store.subscribe(["image"], () => leave());
  const leave = store.subscribe(["image"], () => calls++);
  store.patch({ image: "b" });
  assert.equal(calls, 0);
});
