import assert from "node:assert/strict";
import { test } from "node:test";
import {
  countOf,
  firstFree,
  folded,
  following,
  inOrder,
  isLate,
  progressLine,
  recent,
  waitOf,
} from "./words.js";

/**
 * @param {string} id
 * @param {Partial<import("./words.js").Item>} [more]
 * @returns {import("./words.js").Item}
 */
const item = (id, more = {}) => ({
  id,
  prompt: "",
  title: "",
  type: "",
  status: "pending",
  holder: "",
  effect: null,
  ...more,
});

const items = [item("a"), item("b", { holder: "Ben" }), item("c", { status: "accepted" }), item("d")];

test("near-duplicates lie folded in the first one's card, but for the one that is shown", () => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((id) => item(id, { alike: id === "d" ? "d" : "a" }));
  const seen = (/** @type {import("./words.js").Item[]} */ cards) => cards.map(({ id, more }) => [id, more]);
  const state = { who: "Anna", unfolded: new Set(), at: "" };
  assert.deepEqual(seen(folded([a, d, b, c], state)), [
    ["a", 2],
    ["d", undefined],
  ]);
  assert.deepEqual(seen(folded([a, b, c], { ...state, at: "b" })), [
    ["a", 1],
    ["b", undefined],
  ]);
  assert.deepEqual(seen(folded([a, b, c], { ...state, at: "a" })), [["a", 2]]);
  assert.equal(a.more, undefined);
  assert.equal(folded([a, b, c], { ...state, unfolded: new Set(["a"]) }).length, 3);
  assert.equal(folded([a, { ...b, status: "accepted" }], state).length, 2);
  const taken = { ...a, holder: "Ben" }; // Anna may decide on what repeats it
  assert.deepEqual(seen(folded([taken, b, c], state)), [
    ["a", undefined],
    ["b", 1],
  ]);
});

test("an order that was seen stays, what comes back takes its place, what is new comes last", () => {
  const ids = (/** @type {import("./words.js").Item[]} */ items) => items.map(({ id }) => id).join("");
  const [a, b, c, d] = ["a", "b", "c", "d"].map((id) => item(id, {}));
  const first = inOrder([b, a, c], []);
  assert.deepEqual([ids(first.items), first.isOther], ["bac", false]);
  const later = inOrder([c, a], first.order); // b is decided on, and the measures have changed
  assert.deepEqual([ids(later.items), later.isOther], ["ac", true]);
  assert.equal(ids(inOrder([d, c, b, a], later.order).items), "bacd");
});

test("the next one waits for a decision and is free, further down or from the top", () => {
  assert.equal(following(items, "a", "Anna")?.id, "d");
  assert.equal(following(items, "d", "Anna")?.id, "a");
  assert.equal(following(items, "a", "Ben")?.id, "b");
  assert.equal(following([item("a")], "a", "Anna"), undefined);
  assert.equal(following(items, "gone", "Anna")?.id, "a");
});

test("the first free one comes first, else the first", () => {
  assert.equal(firstFree(items, "Anna").id, "a");
  assert.equal(firstFree(items.slice(1), "Anna").id, "d");
  assert.equal(firstFree(items.slice(1, 3), "Anna").id, "b");
});

test("counts are of one status or of all", () => {
  const counts = { pending: 3, accepted: 2 };
  assert.deepEqual([countOf(counts, "all"), countOf(counts, "rejected")], [5, 0]);
});

test("progress tells what is decided, the pace and what is left to measure", () => {
  const counts = { pending: 1, accepted: 2, rejected: 1 };
  const still = { times: [], doing: "", left: 0 };
  assert.equal(progressLine(counts, still), "3 of 4 decided · 2 accepted");
  assert.equal(
    progressLine(counts, { ...still, fitting: 2 }),
    "3 of 4 decided · 2 accepted · the bank is being updated",
  );
  const busy = { times: [0, 30_000, 60_000], doing: "Accepting", left: 1000 };
  assert.equal(
    progressLine(counts, busy),
    "Accepting… · 3 of 4 decided · 2 accepted · your pace 2/min · 1,000 to measure",
  );
  assert.deepEqual(recent([0, 500_000], 600_001), [500_000]);
});

test("what is measured is waited for", () => {
  const quality = /** @type {any} */ ({});
  assert.equal(waitOf({}), "measuring…");
  assert.equal(waitOf({ quality, late: "effect" }), "measuring the effect…");
  assert.equal(waitOf({ quality, late: "" }), "");
  assert.equal(waitOf({ late: "all", problem: "No bank." }), "");
  assert.deepEqual(
    ["effect", "new", "clean"].map((name) => isLate(name, "all")),
    [true, true, false],
  );
  assert.equal(isLate("new", "effect"), false);
});
