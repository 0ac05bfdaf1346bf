// Seed and count, Preview, Compare and Queue, and how far what was ordered is. Knows the store, what
// paints, and the server for Cancel.

import { find, make, renew } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { allAsTold, onProgress } from "../shared/progress.js";
import { tieCheck, tieText } from "./fields.js";
import { bar } from "./parts.js";
import { batchWords } from "./prompts.js";
import { isReady } from "./settings.js";

/** @typedef {import("./state.js").Studio} Studio */

/**
 * @param {Studio} studio
 * @param {import("./painting.js").Painter} painter
 * @param {() => void} compare
 * @param {() => Promise<unknown>} refresh
 */
export function actionsPane(studio, painter, compare, refresh) {
  const { root, store, call, attempt } = studio;
  tieText(studio, ".st-seed", "seed");
  tieText(studio, ".st-number", "count");
  tieText(studio, ".st-where", "where");
  tieText(studio, ".st-masks", "masks");
  tieCheck(studio, ".st-newseed", "newSeed");
  const buttons = {
    preview: find(root, ".st-preview", HTMLButtonElement),
    compare: find(root, ".st-compare", HTMLButtonElement),
    queue: find(root, ".st-queue", HTMLButtonElement),
  };
  buttons.preview.addEventListener("click", painter.preview);
  buttons.compare.addEventListener("click", compare);
  buttons.queue.addEventListener("click", painter.queue);
  store.subscribe(["source", "engine", "engines", "run"], (state) => {
    for (const button of Object.values(buttons)) button.disabled = !isReady(state);
    if (state.run) buttons.preview.disabled = true;
  });
  store.subscribe(["expanded", "where", "masks", "vary", "count"], (state) => {
    const { error, total } = state.expanded;
    const sum = find(root, ".st-sum");
    sum.textContent = sum.title = batchWords(state);
    buttons.queue.textContent = error ? "Queue" : `Queue ${total.toLocaleString("en")}`;
  });
  const stop = attempt((/** @type {string} */ run) => call("stop", { run }));
  const cancel = attempt(async (/** @type {string} */ id) => {
    await call("cancel_job", { id });
    await refresh();
  });
  store.subscribe(["run"], ({ run }) => showRun(find(root, ".st-running"), run, stop));
  onProgress((told) => store.patch({ jobs: allAsTold(store.get().jobs, told) }));
  store.subscribe(["jobs"], ({ jobs }) =>
    renew(
      find(root, ".st-jobs"),
      jobs.map((job) => jobRow(job, cancel)),
    ),
  );
}

/**
 * @param {HTMLElement} box
 * @param {import("./painting.js").Run | null} run
 * @param {(id: string) => unknown} stop
 */
function showRun(box, run, stop) {
  box.hidden = !run;
  if (!run) return;
  const cancel = small("Cancel", () => stop(run.id), { class: "plain-button small st-stop" });
  const words = make("span", {}, run.text || "Painting");
  renew(box, [
    bar("Preview", run.fraction || 0),
    make("div", { class: "st-joblines", "data-id": run.id }, words, cancel),
  ]);
}

/** @param {import("./state.js").State["jobs"][number]} job @param {(id: string) => unknown} cancel */
function jobRow({ id, title, state, text, fraction }, cancel) {
  const words = state === "running" ? text : `${title}: ${text}`;
  return make(
    "div",
    { class: "st-job", "data-id": id },
    bar(title, fraction),
    make(
      "div",
      { class: "st-joblines" },
      make("span", { title }, words),
      small("Cancel", () => cancel(id)),
    ),
  );
}
