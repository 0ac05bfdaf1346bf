import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore } from "../shared/store.js";
import { createDesk } from "./desk.js";
import { initial } from "./state.js";

/** @param {string} id @param {object} [more] @returns {any} */
const candidate = (id, more) => ({ id, status: "pending", holder: "", type: "", ...more });

/** A desk with three candidates. @param {Record<string, any>} answers by id, or by question @param {object} [state] */
function opened(answers, state) {
  const items = ["a", "b", "c"].map((id) => candidate(id));
  /** @type {import("./state.js").State} */
  const first = {
    ...initial({ traits: [], measures: [], lights: /** @type {any} */ ({}) }),
    ...{ items, total: 3, counts: { pending: 3 }, at: "a", shown: candidate("a"), who: "Ben" },
    ...state,
  };
  const store = createStore(first);
  /** @param {string} name @param {any} [argument] */
  const call = async (name, argument) => {
    if (name === "candidate") return { ...(answers[argument.id] || candidate(argument.id)) };
    return answers[name] || { screen: {}, late: "", problem: "", candidates: [], lines: [], left: 0 };
  };
  return { store, desk: createDesk(store, call, () => []) };
}

test("the reasons of a rejection stay open while its candidate is read and shown again", async () => {
  const { store, desk } = opened({});
  const shown = desk.show("b", true);
  store.patch({ asking: true }); // the key R, before the candidate's record is there
  await shown;
  assert.deepEqual([store.get().shown?.id, store.get().asking], ["b", true]);
  await desk.show("b");
  assert.equal(store.get().asking, true);
  await desk.show("c");
  assert.equal(store.get().asking, false);
});

test("a candidate that somebody else has open is passed over, but not under the hand that rejects it", async () => {
  const held = { b: candidate("b", { holder: "Anna" }) };
  const idle = opened(held);
  await idle.desk.show("b", true);
  await new Promise((done) => setTimeout(done));
  assert.equal(idle.store.get().at, "c");
  const rejecting = opened(held);
  const shown = rejecting.desk.show("b", true);
  rejecting.store.patch({ asking: true });
  await shown;
  assert.deepEqual([rejecting.store.get().at, rejecting.store.get().asking], ["b", true]);
});

test("the reasons close once somebody else has decided", async () => {
  const { store, desk } = opened({ a: candidate("a", { status: "accepted" }) }, { asking: true });
  await desk.show("a");
  assert.equal(store.get().asking, false);
});

test("the order stays as it is seen once a candidate was chosen, and follows the measures until then", async () => {
  const queue = { items: ["c", "b", "a"].map((id) => candidate(id)), total: 3, counts: { pending: 3 } };
  const measures = { screen: {}, late: "", problem: "", left: 0 };
  const state = { order: ["a", "b", "c"], left: 1 }; // one is still to be measured
  /** @param {import("../shared/store.js").Store<any>} store */
  const ids = (store) => store.get().items.map((/** @type {any} */ { id }) => id);
  for (const [id, order] of /** @type {[string, string[]][]} */ ([
    ["b", ["a", "b", "c"]],
    ["a", ["c", "b", "a"]], // the one that the page itself opened
  ])) {
    const { store, desk } = opened({ queue, measures }, state);
    await desk.show(id);
    await new Promise((done) => setTimeout(done));
    assert.deepEqual([ids(store), store.get().reordered], [order, id === "b"]);
    assert.equal(store.get().at, id);
  }
});
