// What is being measured: a line for each job, and what happens when one ends. Knows jobs, not their results.

import { find, make, renew } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { allAsTold, onProgress, tellProgress } from "../shared/progress.js";
import { once } from "../shared/server.js";
import { endOf } from "./words.js";

/** @typedef {import("./words.js").Job} Job */
/** @typedef {import("./state.js").Pane} Pane */
/**
 * mine: begun on this page. at: the run that was open then.
 * @typedef {{ id: string, mine: boolean, compared: string, at: string }} Watched
 */
/** @typedef {{ watched: Watched[], stamp: string }} Known `stamp` of the list */
/** @typedef {(first: string, second?: string) => Promise<unknown>} CompareWith */

// Milliseconds between two looks: while something is measured, and otherwise.
const QUICK = 700;
const SLOW = 3000;

/**
 * Follow the jobs that measure. Returns `watch`, for a job that was begun here, whose result is then compared
 * with the run `compared`, and `follow`, which looks now and from then on.
 * @param {Pane} pane
 * @param {CompareWith} compareWith
 */
export function followWork(pane, compareWith) {
  const { page, store, call, voice } = pane;
  const box = find(page, ".ev-work");
  /** @type {Known} */
  const known = { watched: [], stamp: "" };
  let timer = 0;
  let isLooking = false;

  const follow = async () => {
    clearTimeout(timer);
    if (isLooking || !page.isConnected) return;
    isLooking = true;
    let isBusy = false;
    try {
      isBusy = !document.hidden && (await look(pane, known, show, compareWith, watch));
    } catch {
      // a failure is shown on the next click; the next request may succeed
    }
    isLooking = false;
    timer = window.setTimeout(follow, isBusy ? QUICK : SLOW);
  };
  /** @type {Job[]} */
  let shown = [];
  /** @param {Job[]} jobs */
  const show = (jobs) => {
    shown = jobs;
    const lines = jobs.map((job) => {
      const cancel = voice.attempt(async () => {
        await call("cancel", { id: job.id });
        follow();
      });
      return jobLine(job, cancel);
    });
    renew(box, lines);
  };
  onProgress((told) => {
    const now = allAsTold(shown, told);
    if (now !== shown) show(now);
  });
  /** @param {Job} job @param {string} [compared] */
  const watch = (job, compared = "") => {
    known.watched.push({ id: job.id, mine: true, compared, at: store.get().at });
    show([job]);
    follow();
  };
  return { watch, follow };
}

/**
 * Show what runs and waits, and what has ended since the last look; whether anything runs or waits.
 * @param {Pane} pane
 * @param {Known} known
 * @param {(jobs: Job[]) => void} show
 * @param {CompareWith} compareWith
 * @param {(job: Job, compared: string) => void} watch
 */
async function look(pane, known, show, compareWith, watch) {
  const { store, call } = pane;
  /** @type {{ jobs: Job[], stamp: string }} */
  const { jobs, stamp } = await call("work", { watched: known.watched.map(({ id }) => id) });
  const active = jobs.filter((job) => job.active);
  for (const { id } of active) {
    if (!known.watched.some((one) => one.id === id))
      known.watched.push({ id, mine: false, compared: "", at: "" });
  }
  show(active);
  tellProgress(active.filter(({ state }) => state === "running"));
  const over = new Map(jobs.filter((job) => !job.active).map((job) => [job.id, job]));
  const ended = known.watched.filter(({ id }) => over.has(id));
  known.watched = known.watched.filter((one) => !ended.includes(one));
  if (stamp !== known.stamp || ended.length) {
    store.patch({ runs: (await call("listed")).runs });
    known.stamp = stamp;
  }
  for (const one of ended) {
    const job = over.get(one.id);
    if (job) await showEnd(pane, job, one, compareWith, watch);
  }
  const { at, runs } = store.get();
  if (!at && runs.length) await pane.open(runs[0].id);
  return active.length > 0;
}

/** @param {Job} job @param {() => unknown} cancel */
function jobLine({ id, title, state, text, fraction }, cancel) {
  const percent = 100 * fraction;
  const range = { "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(percent) };
  return make(
    "div",
    { class: "ev-job", "data-id": id },
    make("b", {}, title),
    make("button", { type: "button", class: "plain-button small", onclick: cancel }, "Cancel"),
    make(
      "span",
      { class: "bar", role: "progressbar", "aria-label": title, ...range },
      make("span", { style: `width: ${percent}%` }),
    ),
    make("span", { class: "ev-jobtext" }, state === "queued" ? "Waiting for its turn" : text),
  );
}

/**
 * What was begun on this page is shown when it is done, or offered where another one was opened meanwhile; what was
 * begun elsewhere only comes to the list.
 * @param {Pane} pane
 * @param {Job} job
 * @param {Watched} watched
 * @param {CompareWith} compareWith
 * @param {(job: Job, compared: string) => void} watch
 */
async function showEnd({ store, voice, open, call }, job, { mine, compared, at }, compareWith, watch) {
  if (job.state === "failed") {
    const without = once(
      voice.attempt(async () => watch((await call("without", { id: job.id })).job, compared)),
    );
    const words = job.lost ? [`${job.error} `, small("Go on without them", without)] : job.error;
    return voice.say(words, "error", true);
  }
  if (job.state !== "done") return voice.say(endOf(job), "info", true);
  if (!mine) return;
  const show = async () => {
    await open(job.run);
    if (compared) await compareWith(compared, job.run);
  };
  if (store.get().at === at) return show();
  voice.say([`“${job.title}” is done. `, small("Open it", voice.attempt(show))], "info", true);
}
