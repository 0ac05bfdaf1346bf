import assert from "node:assert/strict";
import { test } from "node:test";
import { createCache } from "./cache.js";

test("an answer is asked for once, and the one used longest ago goes first", async () => {
  /** @type {string[]} */
  const asked = [];
  /** @type {import("./cache.js").Cache<string>} */
  const cache = createCache(2);
  const get = (/** @type {string} */ id) =>
    cache.get(id, async () => {
      asked.push(id);
      return id.toUpperCase();
    });
  assert.equal(await get("a"), "A");
  await get("b");
  await get("a");
  await get("c"); // drops b, the least recently used
  await get("a");
  await get("b");
  assert.deepEqual(asked, ["a", "b", "c", "b"]);
});

test("an answer that failed is asked for again", async () => {
  /** @type {import("./cache.js").Cache<string>} */
  const cache = createCache(2);
  await assert.rejects(cache.get("a", () => Promise.reject(new Error("busy"))));
  assert.equal(await cache.get("a", async () => "there"), "there");
});

test("what is set takes the place of what was kept; clear forgets all", async () => {
  /** @type {import("./cache.js").Cache<string>} */
  const cache = createCache(2);
  await cache.get("a", async () => "old");
  cache.set("a", "new");
  assert.equal(await cache.get("a", async () => "asked"), "new");
  cache.clear();
  assert.equal(await cache.get("a", async () => "asked"), "asked");
});
