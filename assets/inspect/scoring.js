// Has a list scored or exported, and shows how far that is. Knows the job that the server runs for this page.

import { find, make, save } from "../shared/dom.js";
import { asTold, onProgress, tellProgress } from "../shared/progress.js";
import { once, sentence } from "../shared/server.js";
import { changeWords } from "./cutting.js";
import { unscored, withRows } from "./lists.js";
import { checkBank } from "./opening.js";
import { all } from "./parts.js";
import { rearrange } from "./state.js";
import { scoreWords } from "./words.js";

/** @typedef {import("./state.js").Inspect} Inspect */
/** @typedef {import("./state.js").State} State */

/** Milliseconds between two looks at the job. */
const PAUSE = 500;

/** @param {Inspect} inspect */
export function scoringPane(inspect) {
  const { viewer, store } = inspect;
  const box = find(viewer, ".vw-job");
  const score = once(inspect.attempt(() => scoreAll(inspect)));
  store.subscribe(["job", "bank", "images", "rows"], (state) => {
    box.classList.toggle("vw-running", Boolean(state.job));
    if (state.job) showJob(box, state.job, inspect);
    else box.replaceChildren(scoreButton(state, score) || "");
  });
  onProgress((told) => {
    const { job } = store.get();
    if (job) store.patch({ job: asTold(job, told) });
  });
  let isFollowing = false;
  store.subscribe(["job"], async ({ job }) => {
    if (!job || isFollowing) return;
    isFollowing = true;
    await follow(inspect);
    isFollowing = false;
  });
}

/** @param {HTMLElement} box @param {import("./state.js").Job} job @param {Inspect} inspect */
function showJob(box, { fraction, text }, { store, call, attempt }) {
  if (!box.querySelector(".bar")) {
    const cancel = attempt(() => call("cancel", { job: store.get().job?.id }));
    box.replaceChildren(
      make("span", { class: "bar", role: "progressbar", "aria-label": "Scoring" }, make("span")),
      make("span", { class: "vw-told" }),
      make("button", { type: "button", class: "plain-button vw-cancel", onclick: cancel }, "Cancel"),
    );
  }
  find(box, ".bar > span").style.width = `${fraction * 100}%`;
  find(box, ".vw-told").textContent = text;
}

/** @param {State} state @param {() => unknown} onclick */
function scoreButton({ bank, images, rows }, onclick) {
  if (!bank || !images.length) return null;
  const left = unscored({ images, rows });
  const isAgain = left.every(({ id }) => rows.has(id));
  const title = left.length
    ? `Score every image of this list with bank ${bank} as it is now`
    : `Every image of this list is scored with bank ${bank} as it is now`;
  const name = `vw-score ${left.length ? "main-button" : "plain-button"}`;
  return make(
    "button",
    { type: "button", class: name, disabled: !left.length, title, onclick },
    scoreWords(left.length, images.length, isAgain),
  );
}

/** @param {Inspect} inspect */
async function scoreAll({ store, call }) {
  const { job } = await call("score", { list: store.get().list });
  store.patch({ job });
}

/** Score images that were brought here: that is what they are there for. @param {Inspect} inspect */
export async function begin(inspect) {
  const state = inspect.store.get();
  if (state.bank && !state.job && unscored(state).length) await scoreAll(inspect);
}

/**
 * Score a list again whose images were scored before a mark changed the bank, and say what it changed.
 * @param {Inspect} inspect
 * @param {import("./state.js").Compared} before
 */
export async function scoreAgain(inspect, before) {
  const wasScored = before.images.length - unscored(before).length;
  if (wasScored * 2 < before.images.length) return;
  inspect.store.patch({ compared: before });
  await begin(inspect);
  if (!inspect.store.get().job) inspect.store.patch({ compared: null }); // nothing is scored that it could be said after
}

/** Show how far the job is until it has ended. @param {Inspect} inspect */
async function follow(inspect) {
  const { store, say } = inspect;
  try {
    while (store.get().job) {
      await new Promise((done) => setTimeout(done, PAUSE));
      await look(inspect);
    }
  } catch (error) {
    store.patch({ job: null });
    say(sentence(error), "error", true);
  }
}

/** @param {Inspect} inspect */
async function look(inspect) {
  const { store, call, say } = inspect;
  const { seen, job: followed } = store.get();
  const answer = await call("progress", { seen, job: followed?.id });
  if (store.get().job?.id !== followed?.id) return; // another one was begun meanwhile
  store.patch(withRows(store.get(), answer));
  await checkBank(inspect, answer); // somebody may have decided meanwhile
  /** @type {import("./state.js").Job} */
  const job = answer.job;
  if (job.running) {
    store.patch({ job });
    tellProgress([job]);
    return;
  }
  const { compared, images, rows } = store.get();
  rearrange(store, { job: null, compared: null });
  if (compared && !job.error && !job.note) {
    inspect.toast(`${compared.said} · ${changeWords(compared, { images, rows })}`, compared.undo);
  }
  if (job.error || job.note) say(job.error || job.note || "", job.error ? "error" : "info", true);
  if (job.download) save(job.download);
}

/** The menu that exports what is shown. @param {Inspect} inspect */
export function exportMenu({ viewer, store, call, attempt }) {
  const menu = find(viewer, ".vw-export", HTMLDetailsElement);
  /** @type {Record<string, () => Promise<void>>} */
  const acts = {
    csv: async () => save((await call("export_table", { ids: store.get().order })).download),
    png: async () => {
      const { id } = store.get();
      if (id !== null) save((await call("export_panes", { id })).download);
    },
    coco: async () =>
      store.patch({ job: (await call("export_all", { ids: store.get().order, what: "regions" })).job }),
    zip: async () => store.patch({ job: (await call("export_all", { ids: store.get().order })).job }),
  };
  for (const button of all(menu, "[data-export]")) {
    const act = once(attempt(acts[button.dataset.export || ""]));
    button.addEventListener("click", () => {
      menu.open = false;
      act();
    });
  }
}
