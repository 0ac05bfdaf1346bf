import assert from "node:assert/strict";
import { test } from "node:test";
import {
  actsOf,
  changedSince,
  countOf,
  listsOf,
  split,
  stateOf,
  textOf,
  toldOf,
  uselessActs,
} from "./words.js";

/**
 * @param {string} id
 * @param {import("./words.js").State} state
 * @param {Partial<import("./words.js").Job>} [more]
 */
const job = (id, state, more = {}) => ({
  id,
  title: `Job ${id}`,
  state,
  text: "",
  link: null,
  fraction: 0,
  ended: null,
  ...more,
});

test("what runs or waits is to do, all else has ended", () => {
  const jobs = [job("a", "running"), job("b", "queued"), job("c", "interrupted"), job("d", "done")];
  const { waiting, over } = split(jobs);
  assert.deepEqual(
    [waiting.map(({ id }) => id), over.map(({ id }) => id)],
    [
      ["a", "b"],
      ["c", "d"],
    ],
  );
});

test("the button counts what is behind the first job, then what was interrupted", () => {
  const lost = job("c", "interrupted");
  assert.equal(countOf([job("a", "running"), job("b", "queued"), job("d", "queued"), lost]), "+2");
  assert.equal(countOf([job("a", "running"), lost]), "1 interrupted");
  assert.equal(countOf([job("a", "running"), job("b", "done")]), "");
});

test("the first in the queue cannot move up, nor the last down", () => {
  const jobs = [job("a", "running"), job("b", "queued"), job("c", "queued"), job("d", "queued")];
  assert.deepEqual(
    jobs.map((one) => uselessActs(one, jobs)),
    [[], ["first", "up"], [], ["down"]],
  );
  const alone = [job("b", "queued")];
  assert.deepEqual(uselessActs(alone[0], alone), ["first", "up", "down"]);
});

test("a job that ended today says when, one of another day says which", () => {
  const now = new Date(2026, 2, 14, 18, 0);
  const ended = (/** @type {Date} */ time) => stateOf(job("a", "done", { ended: time.toISOString() }), now);
  assert.equal(ended(new Date(2026, 2, 14, 9, 5)), "✓ Done 09:05");
  assert.match(ended(new Date(2026, 2, 13, 9, 5)), /^✓ Done .*13.* 09:05$/);
  assert.equal(stateOf(job("a", "running"), now), "▶ Running");
});

test("a text does not repeat the state", () => {
  assert.equal(textOf(job("a", "cancelled", { text: "Cancelled at: 3 of 8 images" })), "3 of 8 images");
  assert.equal(textOf(job("a", "interrupted", { text: "Interrupted" })), "");
  assert.equal(textOf(job("a", "queued", { text: "Waiting" })), "");
  assert.equal(textOf(job("a", "running", { text: "3 of 8 images" })), "3 of 8 images");
});

test("a job that ends in the open drawer keeps its place until another one is to do", () => {
  const [running, ended, other] = [job("a", "running"), job("a", "done"), job("b", "failed")];
  assert.deepEqual(listsOf([running, other], ""), {
    title: "1 job to do, one at a time in this order",
    upper: [running],
    lower: [other],
  });
  assert.deepEqual(listsOf([ended, other], "a"), { title: "Nothing to do", upper: [ended], lower: [other] });
  assert.deepEqual(listsOf([ended, other], "").lower, [ended, other]); // the drawer was opened anew
  assert.deepEqual(listsOf([job("c", "queued"), ended], "a").lower, [ended]);
});

test("another version or data set is told of, an update of the same one is not", () => {
  /** @param {string} dataset @param {string | null} bank */
  const chips = (dataset, bank) => [
    { url: "/data", label: "Data set", value: dataset, warning: "", others: [] },
    { url: "/banks", label: "Bank", value: bank, warning: "", others: [] },
  ];
  const opened = chips("demo", "v2 · demo");
  assert.deepEqual(changedSince(opened, chips("demo", "v2 · demo · being updated")), []);
  assert.deepEqual(changedSince(chips("demo", null), opened), []); // the first data set replaces none
  const changed = changedSince(opened, chips("tiles", "v3 · tiles"));
  assert.equal(
    toldOf(changed),
    "Data set tiles is now active; it was demo when this page was opened. " +
      "Bank v3 · tiles is now active; it was v2 · demo when this page was opened.",
  );
});

test("a job that failed as files are lost can go on without them", () => {
  assert.deepEqual(actsOf(job("a", "failed")), ["again"]);
  assert.deepEqual(actsOf(job("a", "failed", { lost: true })), ["again", "without"]);
});
