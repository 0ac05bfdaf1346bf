// The dialog that says how much all candidates are like real defects, and compares them anew: a job behind the page.
// Asks the server only while it is open.

import { find, make } from "../shared/dom.js";
import { once } from "../shared/server.js";
import { plain } from "../shared/parts.js";
import { lamp, quiet } from "./parts.js";
import { dialogOf, sheet } from "./sheet.js";
import { timeOf } from "../shared/words.js";

/**
 * @typedef {import("./state.js").Pane} Pane
 *
 * @typedef {object} Group
 * @property {string} title engine and type
 * @property {string} counts
 * @property {string} verdict
 * @property {import("./words.js").Light} light
 * @property {string} meaning
 * @property {[name: string, value: string][]} lines
 *
 * @typedef {object} Likeness
 * @property {{ id: string, active: boolean, text: string, fraction: number } | null} job
 * @property {string} made ISO time, "" where nothing was found yet
 * @property {boolean} stale
 * @property {Group[]} groups
 * @property {boolean} any whether there are candidates to compare
 */

const BETWEEN = 700; // milliseconds
const ABOUT =
  "On held-out parts, a classifier guesses which defects are painted, by engine and type, and, as a control, which " +
  "surroundings are those of painted ones. An AUROC of 0.5 is chance.";
const EMPTY =
  "Nothing has been compared yet. Give candidates the type of a real defect of the training split, four or more each, " +
  "then press Compare.";
const NONE = "There are no candidates to compare; paint some in Studio and come back.";
const STALE = "Candidates, their types or masks, or the bank version have changed since then; compare again.";

/** @param {Pane} pane */
export function showLikeness(pane) {
  const { page, call, voice } = pane;
  const dialog = dialogOf(page);
  let opened = 0;
  const open = voice.attempt(async () => {
    const mine = (opened += 1);
    const parts = partsOf(pane);
    sheet(page, "Like real defects?", parts.inside);
    while (dialog.open && mine === opened && parts.status.isConnected) {
      parts.fill(await call("likeness"));
      await new Promise((done) => setTimeout(done, BETWEEN));
    }
  });
  find(page, ".cu-likeness").addEventListener("click", open);
}

/** What the dialog shows, with a function that fills it. @param {Pane} pane */
function partsOf(pane) {
  const { call, voice } = pane;
  const status = make("p", { class: "cu-likestatus", role: "status" });
  const fraction = make("span");
  const progress = make("span", { class: "bar", role: "progressbar", "aria-label": "Comparing" }, fraction);
  const line = make("span", { class: "st-quiet" });
  const groups = make("div", { class: "cu-likegroups" });
  let isActive = false;
  let shown = "";
  /** @type {(told: Likeness) => void} */
  const fill = (told) => {
    isActive = Boolean(told.job?.active);
    go.textContent = isActive ? "Cancel" : told.made ? "Compare again" : "Compare";
    go.disabled = !isActive && !told.any;
    progress.style.visibility = isActive ? "visible" : "hidden";
    fraction.style.width = `${100 * (told.job?.fraction || 0)}%`;
    progress.setAttribute("aria-valuenow", String(Math.round(100 * (told.job?.fraction || 0))));
    line.textContent = told.job?.active ? told.job.text : "";
    const words = wordsOf(told);
    if (status.textContent !== words) status.textContent = words;
    const now = JSON.stringify(told.groups);
    if (now !== shown) groups.replaceChildren(...told.groups.map((one) => groupOf(pane, one)));
    shown = now;
  };
  const go = plain("Compare", once(voice.attempt(() => call(isActive ? "stop_comparing" : "compare_all"))), {
    class: "main-button cu-compare",
    "data-needs": "curator",
    disabled: true,
  });
  const working = make("div", { class: "cu-likework" }, go, progress, line);
  return { inside: [quiet(ABOUT), working, status, groups], status, fill };
}

/** @param {Likeness} told */
function wordsOf({ job, made, stale, any }) {
  if (job?.active) return "The candidates are being compared.";
  const failed = job ? `${job.text} ` : "";
  if (!made) return failed || (any ? EMPTY : NONE);
  return `${failed}Compared ${timeOf(made, new Date())}. ${stale ? STALE : ""}`.trim();
}

/** @param {Pane} pane @param {Group} group */
const groupOf = ({ terms }, { title, counts, verdict, light, meaning, lines }) =>
  make(
    "section",
    { class: "cu-likegroup" },
    make("h3", {}, title),
    quiet(counts),
    make("p", { class: "cu-likeverdict" }, lamp(light, terms), make("b", {}, verdict)),
    quiet(meaning),
    make("dl", {}, ...lines.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
  );
