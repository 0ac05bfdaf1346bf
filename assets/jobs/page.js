// The right half of every page's header: running job, active data set and bank version; and the drawer with all
// jobs. pages/frame.py answers `look` and `act`; this shows it, and keeps nothing but whether the drawer is open.

import { find } from "../shared/dom.js";
import { recall, remember } from "../shared/memory.js";
import { caller, sentence } from "../shared/server.js";
import { allAsTold, onProgress, tellProgress } from "../shared/progress.js";
import { createStore } from "../shared/store.js";
import { note } from "../shared/voice.js";
import { announce } from "./elsewhere.js";
import { jobLists, showBar } from "./list.js";
import { pin } from "../shared/tab.js";
import { pickers } from "./pickers.js";
import { countOf, split } from "./words.js";

/**
 * @typedef {import("./words.js").Chip} Chip
 * @typedef {object} State
 * @property {import("./words.js").Job[]} jobs
 * @property {Chip[]} chips
 * @property {string} dataset that this tab works on
 * @property {string} stamp of what the server told last
 * @property {string} said what went wrong, or ""
 * @property {boolean} open whether the drawer is
 */
/** @typedef {import("../shared/store.js").Store<State>} JobsStore */
/** @typedef {(name: string, argument: object) => Promise<any>} Call */

const OPEN = "exdd.jobs.open";
// Milliseconds between two looks: while something runs or is watched, otherwise, and while nobody is there.
const QUICK = 1000;
const SLOW = 3000;
const SELDOM = 15_000;
const AWAY = 60_000; // after the last move of a pointer or press of a key
const AGAIN = 3; // seconds after a change in which panels look again: an answer may overtake a later one

/**
 * Called by Gradio once the header stands.
 * @param {HTMLElement} element
 * @param {import("../shared/server.js").Server} server
 */
export function start(element, server) {
  const call = caller(server);
  const isOpen = Boolean(recall(OPEN, "sessionStorage"));
  /** @type {JobsStore} */
  const store = createStore(
    /** @type {State} */ ({
      jobs: [],
      chips: [],
      dataset: "",
      stamp: "",
      said: "",
      open: isOpen,
    }),
  );
  const ask = asker(store, call);
  const look = looker(element, store, call);
  const showLists = jobLists(element, (act, { id }) => ask({ act: act === "again" ? "resume" : act, id }));
  pickers(element, store);
  store.subscribe(["dataset"], ({ dataset }) => pin(dataset)); // that it began with, or where that is gone, another
  store.subscribe(["jobs"], ({ jobs }) => showButton(element, jobs));
  store.subscribe(["jobs", "open"], ({ jobs, open }) => showLists(jobs, open));
  store.subscribe(["said"], ({ said }) => {
    const close = () => store.patch({ said: "" });
    find(element, ".jobs-said").replaceChildren(said ? note(said, "error", close) : "");
  });
  announce(element, store);
  onProgress((told) => store.patch({ jobs: allAsTold(store.get().jobs, told) }));
  tellPanels(store);
  wireDrawer(element, store, ask, look);
  document.addEventListener("visibilitychange", look);
  document.addEventListener("click", () => setTimeout(look, 700)); // the click may have started a job
  look();
}

/**
 * Take what the server told. Chips that are the same stay, and so does a list that is open below one.
 * @param {JobsStore} store
 * @param {Partial<State>} told
 */
function take(store, told) {
  const { chips } = store.get();
  const isSame = JSON.stringify(told.chips) === JSON.stringify(chips);
  store.patch(isSame ? { ...told, chips } : told);
}

/**
 * A function that asks for an act, and says what went wrong.
 * @param {JobsStore} store
 * @param {Call} call
 */
function asker(store, call) {
  /** @param {{ act: string, id?: string }} argument */
  return async (argument) => {
    try {
      const { stamp, dataset, chips, jobs } = await call("act", argument);
      take(store, { stamp, dataset, chips, jobs, said: "" });
    } catch (error) {
      store.patch({ said: sentence(error) });
    }
  };
}

/**
 * A function that looks at the jobs now and from then on, while the page is seen.
 * @param {HTMLElement} element
 * @param {JobsStore} store
 * @param {Call} call
 */
function looker(element, store, call) {
  let timer = 0;
  let looking = false;
  let there = Date.now();
  for (const kind of ["pointermove", "keydown", "wheel", "touchstart"]) {
    const came = () => {
      const wasAway = Date.now() - there > AWAY;
      there = Date.now();
      if (wasAway) look();
    };
    document.addEventListener(kind, came, { passive: true });
  }
  const wait = () => {
    const { jobs, open } = store.get();
    if (open || split(jobs).waiting.length || document.getElementById("exdd-loading")) return QUICK;
    return Date.now() - there > AWAY ? SELDOM : SLOW;
  };
  async function look() {
    clearTimeout(timer);
    if (document.hidden || looking || !element.isConnected) return;
    looking = true;
    try {
      // Without a change the answer holds only the stamp.
      const { loading, ...seen } = await call("look", { stamp: store.get().stamp });
      if (!loading) document.getElementById("exdd-loading")?.remove(); // the words of pages/head.py
      take(store, seen);
      if (seen.jobs) tellProgress(split(store.get().jobs).waiting.filter(({ state }) => state === "running"));
    } catch {
      store.patch({ stamp: "" }); // a failure is shown on the next click; the next request may succeed
    }
    looking = false;
    timer = window.setTimeout(look, wait());
  }
  return look;
}

/**
 * Tells the page's own panels (pages/job_panel.py) when to look at their jobs, and its scripts that another data set or
 * version is active or a job began or ended: none of them asks while nothing changes.
 * @param {JobsStore} store
 */
function tellPanels(store) {
  let timer = 0;
  const tell = (/** @type {number} */ left) => {
    document.dispatchEvent(new CustomEvent("exdd-jobs"));
    if (left) timer = window.setTimeout(tell, QUICK, left - 1);
  };
  // Not by the jobs: panels tell how far they are, too.
  store.subscribe(["stamp"], () => {
    clearTimeout(timer);
    tell(AGAIN);
  });
  let known = "";
  store.subscribe(["chips", "jobs"], ({ chips, jobs }) => {
    const now = JSON.stringify([chips, jobs.map(({ id, state }) => [id, state])]);
    if (now !== known) document.dispatchEvent(new CustomEvent("exdd-active"));
    known = now;
  });
}

/**
 * @param {HTMLElement} element
 * @param {JobsStore} store
 * @param {(argument: { act: string }) => Promise<void>} ask
 * @param {() => void} look
 */
function wireDrawer(element, store, ask, look) {
  const drawer = find(element, ".jobs-drawer");
  const button = find(element, ".jobs-button");
  const show = () => {
    const { open } = store.get();
    drawer.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    remember(OPEN, open ? "1" : "", "sessionStorage");
  };
  /** @param {boolean} open */
  const turn = (open) => {
    store.patch({ open });
    (open ? drawer : button).focus();
    if (open) look();
  };
  store.subscribe(["open"], show);
  show();
  button.addEventListener("click", () => turn(drawer.hidden));
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest('a[href="#jobs"]')) return;
    event.preventDefault(); // a sentence that names this list leads to it
    turn(true);
  });
  find(drawer, ".jobs-close").addEventListener("click", () => turn(false));
  wireClear(drawer, ask);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && store.get().open) turn(false);
    // The page below handles the same keys.
    if (event.target instanceof Node && drawer.contains(event.target)) event.stopPropagation();
  });
}

/**
 * A second press clears the list of jobs that have ended.
 * @param {HTMLElement} drawer
 * @param {(argument: { act: string }) => Promise<void>} ask
 */
function wireClear(drawer, ask) {
  const button = find(drawer, ".jobs-clear");
  const words = button.textContent;
  const calm = () => {
    delete button.dataset.sure;
    button.textContent = words;
  };
  button.addEventListener("blur", calm);
  button.addEventListener("click", async () => {
    if (!button.dataset.sure) {
      button.dataset.sure = "yes";
      button.textContent = "Clear for good";
      return;
    }
    await ask({ act: "clear" });
    drawer.focus();
  });
}

/**
 * @param {HTMLElement} element
 * @param {import("./words.js").Job[]} jobs
 */
function showButton(element, jobs) {
  const job = split(jobs).waiting[0];
  find(element, ".frame-job").hidden = !job;
  if (job) showBar(find(element, ".frame-job .bar"), job);
  find(element, ".frame-told").textContent = job ? (job.state === "running" ? job.text : job.title) : "";
  find(element, ".jobs-button").title = job ? job.title : "";
  const count = find(element, ".jobs-count");
  count.textContent = countOf(jobs);
  count.hidden = !count.textContent;
}
