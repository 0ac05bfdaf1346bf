import assert from "node:assert/strict";
import { test } from "node:test";
import { caller, latest, Sentence, sentence } from "./server.js";

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
