// What the Evaluate page says about stored measurements and jobs. Pure: knows no element and no server.

import { counted } from "../shared/words.js";
import { percent } from "./figures.js";

/** @typedef {import("./figures.js").Measurement["kind"]} Kind */
/**
 * A stored measurement as pages/evaluate.py lists it.
 * @typedef {object} Line
 * @property {string} id
 * @property {Kind} kind
 * @property {string} title
 * @property {string} dataset
 * @property {string} called what people call the data set
 * @property {string} how it was measured
 * @property {string} created ISO time
 * @property {number} seconds
 * @property {boolean} complete
 * @property {[name: string, auroc: number | null | undefined][]} figures
 *
 * What the list shows of them.
 * @typedef {{ kind: string, of: string, sort: string }} Filters
 *
 * @typedef {object} Job
 * @property {string} id
 * @property {Kind} kind
 * @property {string} title
 * @property {string} state
 * @property {boolean} active
 * @property {string} text
 * @property {number} fraction 0 to 1
 * @property {string} error
 * @property {string} run that it has stored, or ""
 * @property {boolean} lost whether it failed as files are lost, and can go on without them
 */

/** What can be measured: a name, and what it is. @type {Record<Kind, [name: string, about: string]>} */
export const KINDS = {
  table1: [
    "Table 1",
    "PatchCore, ExDD with real defects, and ExDD with the accepted synthetic ones too, side by side.",
  ],
  sweep: [
    "Table 2",
    "ExDD with more and more of the accepted synthetic defects, several draws of each count.",
  ],
  evaluate: [
    "One bank",
    "A bank version as it is now, compared with PatchCore on the same normal bank, on its test split.",
  ],
};

/** @type {[value: string, words: string][]} */
export const SORTS = [
  ["newest", "Newest first"],
  ["oldest", "Oldest first"],
  ["best", "Highest image AUROC first"],
];

/** @param {string} created */
export const when = (created) =>
  new Date(created).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });

/** @param {number} seconds */
export function lasted(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Where an image is looked at. @param {string} id @param {string | undefined} bank version */
export const inspectUrl = (id, bank) =>
  `./?image=${encodeURIComponent(id)}${bank ? `&bank=${encodeURIComponent(bank)}` : ""}`;

/** @param {string} id */
export const thumbnailUrl = (id) => `./thumbnail?image=${encodeURIComponent(id)}`;

/** Those that pass the filters, in order. @param {Line[]} runs the newest first @param {Filters} filters */
export function listed(runs, { kind, of, sort }) {
  /** @param {Line} run */
  const best = (run) => Math.max(...run.figures.map(([, value]) => value ?? -1), -1);
  const found = runs.filter((run) => (!kind || run.kind === kind) && (!of || run.dataset === of));
  if (sort === "oldest") return found.reverse();
  return sort === "best" ? found.sort((a, b) => best(b) - best(a)) : found;
}

/** The image AUROC of each method. @param {Line} run */
export const figuresLine = ({ kind, figures }) =>
  figures
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name.replace("ExDD ", "")}${kind === "sweep" ? ":" : ""} ${percent(value)}`)
    .join(" · ");

/** @param {Line} line @param {import("./figures.js").Result} result */
export function factsOf(line, { images, defective, synthetic }) {
  const painted = Array.isArray(synthetic) ? synthetic.length : synthetic;
  return [
    line.how,
    images && `${counted(images, "image")}, ${defective} with a defect`,
    painted !== undefined && counted(painted, "synthetic defect"),
    `measured ${when(line.created)} in ${lasted(line.seconds)}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** Of a job that ended without a measurement. @param {Job} job */
export function endOf({ title, state, kind }) {
  const ended = `“${title}” was ${state}.`;
  if (state !== "cancelled") return `${ended} Resume it in Jobs above.`;
  const kept = kind === "sweep" ? "The results so far were saved as not finished." : "Nothing was saved.";
  return `${ended} ${kept}`;
}
