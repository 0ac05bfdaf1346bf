// The two lists of the Jobs drawer. Knows jobs and what a click asks for, not the server.
// An entry stays the same element from one look to the next, so that nobody's focus is taken away.

import { find, make } from "../shared/dom.js";
import { actsOf, BUTTONS, listsOf, split, stateOf, textOf, uselessActs } from "./words.js";

/** @typedef {import("./words.js").Job} Job */
/** @typedef {import("./words.js").Act} Act */
/** @typedef {(act: Act, job: Job) => void} OnAct */

/**
 * A function that shows jobs in the drawer; `onAct` is called with what is clicked.
 * @param {HTMLElement} element
 * @param {OnAct} onAct
 */
export function jobLists(element, onAct) {
  /** By a job's id. @type {Map<string, HTMLLIElement>} */
  const entries = new Map();

  /** @param {Job} job */
  const entryOf = (job) => {
    const entry = entries.get(job.id) ?? emptyEntry();
    entries.set(job.id, entry);
    fillEntry(entry, job, onAct);
    return entry;
  };

  let last = "";
  /** @param {Job[]} jobs @param {boolean} open whether somebody sees them */
  return (jobs, open) => {
    const { title, upper, lower } = listsOf(jobs, open ? last : "");
    const { over } = split(jobs);
    last = upper[0]?.id ?? "";
    showList(find(element, ".jobs-active"), upper, title, entryOf);
    showList(find(element, ".jobs-over"), lower, `${over.length} ended`, entryOf);
    find(element, ".jobs-active").hidden = !jobs.length;
    find(element, ".jobs-over").hidden = !over.length;
    find(element, ".jobs-clear").hidden = !over.some((job) => job.state !== "interrupted");
    find(element, ".jobs-none").hidden = jobs.length > 0;
    const there = new Set(jobs.map((job) => job.id));
    for (const [id, entry] of entries) {
      if (there.has(id)) continue;
      entry.remove();
      entries.delete(id);
    }
  };
}

/**
 * @param {HTMLElement} section
 * @param {Job[]} jobs
 * @param {string} title
 * @param {(job: Job) => HTMLLIElement} entryOf
 */
function showList(section, jobs, title, entryOf) {
  find(section, "h3").textContent = title;
  const list = find(section, "ul");
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  jobs.forEach((job, at) => {
    const entry = entryOf(job);
    if (list.children[at] !== entry) list.insertBefore(entry, list.children[at] || null);
    const useless = uselessActs(job, jobs);
    for (const button of entry.querySelectorAll("button")) {
      button.disabled = useless.includes(/** @type {Act} */ (button.dataset.act));
    }
  });
  // Moving an element takes its focus away.
  if (focused && focused !== document.activeElement && list.contains(focused)) focused.focus();
}

function emptyEntry() {
  return make(
    "li",
    { class: "jobs-entry" },
    make(
      "div",
      { class: "jobs-line" },
      make("strong", { class: "jobs-title" }),
      make("span", { class: "jobs-state" }),
    ),
    make(
      "span",
      { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 },
      make("span"),
    ),
    make(
      "div",
      { class: "jobs-line" },
      make("span", { class: "jobs-text" }),
      make("span", { class: "jobs-acts" }),
    ),
  );
}

/**
 * Show a job in its entry, unless it is shown already. The buttons stay while the state does.
 * @param {HTMLLIElement} entry
 * @param {Job} job
 * @param {OnAct} onAct
 */
function fillEntry(entry, job, onAct) {
  const now = JSON.stringify(job);
  if (entry.dataset.shown === now) return;
  const acts = actsOf(job).join(" ");
  const changed = entry.dataset.state !== job.state || entry.dataset.acts !== acts;
  Object.assign(entry.dataset, { shown: now, state: job.state, acts });
  find(entry, ".jobs-title").textContent = job.title;
  find(entry, ".jobs-state").textContent = stateOf(job, new Date());
  const text = find(entry, ".jobs-text");
  text.replaceChildren(textOf(job));
  if (job.link) text.append(" ", make("a", { href: job.link[1] }, job.link[0]));
  const bar = find(entry, ".bar");
  showBar(bar, job);
  bar.hidden = !["running", "interrupted"].includes(job.state);
  if (!changed) return;
  const buttons = actsOf(job).map((act) => actButton(act, job, onAct));
  find(entry, ".jobs-acts").replaceChildren(...buttons);
}

/** @param {Act} act @param {Job} job @param {OnAct} onAct */
function actButton(act, job, onAct) {
  const [sign, words] = BUTTONS[act];
  const attributes = { type: "button", class: "plain-button small", "data-act": act, title: words };
  return make(
    "button",
    { ...attributes, "aria-label": `${words}: ${job.title}`, onclick: () => onAct(act, job) },
    sign,
  );
}

/**
 * @param {HTMLElement} bar
 * @param {Job} job
 */
export function showBar(bar, job) {
  find(bar, "span").style.width = `${job.fraction * 100}%`;
  bar.setAttribute("aria-valuenow", String(Math.round(job.fraction * 100)));
  bar.setAttribute("aria-label", job.title);
}
