// Asks the server for results: the list, one candidate, a comparison; and deletes one. Knows the store.

import { tellProgress } from "../shared/progress.js";
import { latest, newest, sentence } from "../shared/server.js";
import { counted } from "../shared/words.js";
import { isSameList, showing } from "./candidate.js";

/**
 * The grid of a comparison, as pages/studio/results.py tells of it.
 * @typedef {{ name: string, title: string, values: string[] }} Axis
 * @typedef {{ job: string, axes: Axis[], cells: (string | null)[][], text: string }} Comparison
 *
 * @typedef {import("./state.js").Studio} Studio
 */

/**
 * What the server is asked for: results that pass the filters.
 * @param {import("./state.js").Filter} filter
 * @param {number} [limit]
 */
export const asked = ({ status, engine, prompt, job }, limit) => ({
  ...{ status: status === "all" ? "" : status, engine, prompt, job },
  ...(limit ? { limit } : {}),
});

/** Take an answer of `results`. @param {Studio["store"]} store @param {any} answer */
export function take(store, { items, total, counts, jobs, stamp }) {
  const { results } = store.get();
  store.patch({ results: isSameList(results, items) ? results : items, total, counts, jobs, stamp });
}

/**
 * A function that asks for what has come since; how many are shown stays as it is.
 * @param {Studio} studio
 */
export const refresher = (studio) =>
  latest(async () => {
    const { store, call, say } = studio;
    try {
      const { filter, pageSize, results } = store.get();
      const answer = await call("results", asked(filter, Math.max(pageSize, results.length)));
      const before = store.get().jobs;
      take(store, answer);
      tellProgress(store.get().jobs.filter(({ state }) => state === "running"));
      const active = new Set(store.get().jobs.map(({ id }) => id));
      for (const { id } of before) if (!active.has(id)) await tellEnd(studio, id);
    } catch (error) {
      say(sentence(error));
    }
  });

/** Say how an order ended: what could not be painted, and why, stays until it is closed. @param {Studio} studio @param {string} id */
async function tellEnd({ call, say, toast }, id) {
  const { said, way, whole } = await call("ended", { id });
  if (said && whole) toast(`${said} ${way}`);
  else if (said) say(`${said} ${way}`.trim(), way ? "info" : "error", true);
}

/** Show more of them. @param {Studio} studio */
export async function showMore({ store, call }) {
  const { filter, pageSize, results } = store.get();
  take(store, await call("results", asked(filter, results.length + pageSize)));
}

const opened = newest();

/** Show a candidate in the pane. @param {Studio} studio @param {string} id */
export async function showCandidate({ store, call }, id) {
  const record = await opened(call("candidate", { id }));
  if (record) store.patch(showing(store.get(), record));
}

/**
 * A function that asks what the active bank version says of the candidate that is shown.
 * @param {Studio} studio
 */
export const looker = ({ store, call }) =>
  latest(async () => {
    const { shown, seen } = store.get();
    if (!shown || shown.status === "accepted" || seen?.id === shown.id) return;
    store.patch({ unseen: "" });
    try {
      const answer = await call("seen", { id: shown.id });
      if (store.get().shown?.id === answer.id) store.patch({ seen: answer });
    } catch (error) {
      if (store.get().shown?.id === shown.id) store.patch({ unseen: sentence(error) });
    }
  });

/**
 * A function that compares every result shown from now on with one, or no longer.
 * @param {Studio} studio
 */
export const pinner =
  ({ store }) =>
  (/** @type {import("./candidate.js").Candidate} */ record) => {
    const isPinned = store.get().pinned?.id === record.id;
    store.patch(isPinned ? { pinned: null } : { pinned: record, previous: record });
  };

/**
 * A function that makes drafts candidates, which wait on Curate.
 * @param {Studio} studio
 * @param {() => Promise<unknown>} refresh
 */
export const keeper = (studio, refresh) =>
  studio.attempt(async (/** @type {string[]} */ drafts) => {
    const { store, call, toast } = studio;
    const { ids } = await call("keep", { ids: drafts });
    const { shown } = store.get();
    if (shown && ids.includes(shown.id)) store.patch({ shown: { ...shown, status: "pending" } });
    await refresh();
    toast(`Kept ${counted(ids.length, "draft")}: ${ids.length === 1 ? "it waits" : "they wait"} on Curate.`);
  });

/** Show the newest candidate where none is shown. @param {Studio} studio */
export async function showNewest(studio) {
  const { shown, results } = studio.store.get();
  if (!shown && results[0]) await showCandidate(studio, results[0].id);
}

/**
 * Delete a candidate; the toast brings it back.
 * @param {Studio} studio
 * @param {() => Promise<unknown>} refresh
 */
export const remover = (studio, refresh) =>
  studio.attempt(async (/** @type {string} */ id) => {
    const { store, call, toast } = studio;
    const draft = store.get().shown?.status === "draft";
    await call("delete", { id });
    if (store.get().shown?.id === id) store.patch({ shown: null, shownId: "" });
    await refresh();
    await showNewest(studio);
    toast("Deleted one candidate.", async () => {
      await call("restore", { id, draft });
      await refresh();
      await showCandidate(studio, id);
    });
  });

/**
 * Show the comparison that a job makes, unless it was closed; "" for none.
 * @param {Studio} studio
 * @param {string} job
 */
export async function loadComparison({ store, call }, job) {
  const answer = job ? await call("comparison", { job }) : null;
  store.patch({ comparison: answer && answer.job !== store.get().closed ? answer : null });
}
