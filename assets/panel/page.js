// A page's panel for its own jobs, which the server draws (pages/job_panel.py): it shows what is told of its job anywhere
// on the page, and tells what it was drawn with, so that no place lags behind another one. Knows .job, which Gradio
// fills in anew.

import { onProgress, tellProgress } from "../shared/progress.js";

/**
 * Called by Gradio once the panel's component stands.
 * @param {HTMLElement} element
 */
export function start(element) {
  const drawn = () => /** @type {HTMLElement | null} */ (element.querySelector(".job[data-text]"));
  const tell = () => {
    const { id = "", text = "", fraction } = drawn()?.dataset ?? {};
    if (text) tellProgress([{ id, text, fraction: Number(fraction) }]);
  };
  new MutationObserver(tell).observe(element, {
    childList: true,
    subtree: true,
    attributeFilter: ["data-text"], // Gradio changes what differs, where it is
  });
  tell();
  onProgress((told) => {
    const job = drawn();
    const now = told.find(({ id }) => id === job?.dataset.id);
    if (job && now && now.text !== job.dataset.text) show(job, now);
  });
}

/** @param {HTMLElement} job @param {import("../shared/progress.js").Progress} told */
function show(job, { text, fraction }) {
  Object.assign(job.dataset, { text, fraction });
  job.querySelector(".job-told")?.replaceChildren(text);
  const bar = job.querySelector(".bar");
  bar?.setAttribute("aria-valuenow", String(Math.round(100 * fraction)));
  if (bar) /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${100 * fraction}%`;
}
