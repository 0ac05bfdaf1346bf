import assert from "node:assert/strict";
import { test } from "node:test";
import { caller, latest, newest, once, Sentence, sentence } from "./server.js";

test("an answer passes, { error } becomes a sentence, a silent server another", async () => {
  const call = caller({
    look: async (argument) => ({ asked: argument }),
    refuse: async () => ({ error: "There is no such bank." }),
    fail: () => Promise.reject(new Error("fetch failed")),
  });
  assert.deepEqual(await call("look", { id: 1 }), { asked: { id: 1 } });
  await assert.rejects(call("refuse"), new Sentence("There is no such bank."));
  await assert.rejects(call("fail"), (error) =>
    sentence(error).startsWith("The workbench is not responding."),
  );
});

test("while a question runs, only the latest of those that follow is asked", async () => {
  /** @type {number[]} */
  const asked = [];
  const ask = latest(async (/** @type {number} */ number) => {
    asked.push(number);
    await new Promise((done) => setTimeout(done, 5));
  });
  await Promise.all([ask(1), ask(2), ask(3)]);
  assert.deepEqual(asked, [1, 3]);
});

test("a second press while the call of the first is on its way begins nothing, and one after it does", async () => {
  let begun = 0;
  const begin = once(async (/** @type {boolean} */ fails) => {
    begun += 1;
    await new Promise((done) => setTimeout(done, 5));
    if (fails) throw new Error("refused");
    return begun;
  });
  await Promise.all([assert.rejects(begin(true)), begin(false)]);
  assert.deepEqual(await Promise.all([begin(false), begin(false)]), [2, undefined]);
});

test("a question that fails does not keep the latest from being asked, and only its own failure is told", async () => {
  /** @type {number[]} */
  const asked = [];
  const ask = latest(async (/** @type {number} */ number) => {
    asked.push(number);
    await new Promise((done) => setTimeout(done, 5));
    if (number !== 2) throw new Error(`${number}`);
  });
  await Promise.all([ask(1), ask(2)]);
  await assert.rejects(ask(3), new Error("3"));
  await ask(2);
  assert.deepEqual(asked, [1, 2, 3, 2]);
});

test("of answers that come out of order only the newest counts, and the failures of others do not", async () => {
  const answer = newest();
  const after = (/** @type {number} */ wait, /** @type {string} */ said) =>
    new Promise((done, fail) => setTimeout(() => (said ? done(said) : fail(new Error("late"))), wait));
  assert.deepEqual(
    await Promise.all([answer(after(20, "a")), answer(after(10, "")), answer(after(1, "c"))]),
    [null, null, "c"],
  );
  await assert.rejects(answer(after(1, "")), new Error("late"));
});
