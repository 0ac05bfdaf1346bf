// What the Jobs drawer says about jobs, and what can be done with them. Pure: knows no element and no server.

import { counted, timeOf } from "../shared/words.js";

/**
 * A job as pages/frame.py tells of it.
 * @typedef {"running" | "queued" | "done" | "cancelled" | "failed" | "interrupted"} State
 * @typedef {object} Job
 * @property {string} id
 * @property {string} title
 * @property {State} state
 * @property {string} text
 * @property {[words: string, url: string] | null} link
 * @property {number} fraction 0 to 1
 * @property {string | null} ended ISO time
 * @property {boolean} [lost] whether it failed as files are lost, and can go on without them
 * @property {boolean} [vain] whether it would fail again, as it did
 *
 * @typedef {"first" | "up" | "down" | "cancel" | "resume" | "again" | "without"} Act
 */

/** @type {Record<State, string>} */
const STATES = {
  running: "▶ Running",
  queued: "◷ Waiting",
  done: "✓ Done",
  cancelled: "– Cancelled",
  failed: "! Failed",
  interrupted: "‖ Interrupted",
};

/** @type {Record<State, Act[]>} */
const ACTS = {
  running: ["cancel"],
  queued: ["first", "up", "down", "cancel"],
  done: [],
  cancelled: ["resume"],
  failed: ["again"],
  interrupted: ["resume", "cancel"],
};

/** What a button shows, and what it is called. @type {Record<Act, [sign: string, words: string]>} */
export const BUTTONS = {
  first: ["⤒", "Run next"],
  up: ["↑", "Earlier"],
  down: ["↓", "Later"],
  cancel: ["Cancel", "Cancel"],
  resume: ["Resume", "Resume"],
  again: ["Try again", "Try again"],
  without: ["Go on without them", "Go on without the files that were lost or replaced"],
};

/** What can be done with a job. @param {Job} job @returns {Act[]} */
export const actsOf = ({ state, lost, vain }) => [
  ...(vain ? [] : ACTS[state]),
  ...(lost ? /** @type {Act[]} */ (["without"]) : []),
];

/**
 * The jobs that are to do, in their order, and those that have ended.
 * @param {Job[]} jobs
 */
export function split(jobs) {
  /** @param {Job} job */
  const isWaiting = ({ state }) => state === "running" || state === "queued";
  return { waiting: jobs.filter(isWaiting), over: jobs.filter((job) => !isWaiting(job)) };
}

/**
 * The two lists of the drawer. A job that was to do there keeps its place when it ends, so that nothing moves, until
 * another one is to do.
 * @param {Job[]} jobs
 * @param {string} last id of the job that the upper list showed first, or ""
 */
export function listsOf(jobs, last) {
  const { waiting, over } = split(jobs);
  const ended = waiting.length ? [] : over.filter(({ id }) => id === last);
  const many = counted(waiting.length, "job");
  return {
    title: waiting.length ? `${many} to do, one at a time in this order` : "Nothing to do",
    upper: [...waiting, ...ended],
    lower: over.filter((job) => !ended.includes(job)),
  };
}

/**
 * What the header's button counts: the jobs behind the first one, else those that were interrupted, else "".
 * @param {Job[]} jobs
 */
export function countOf(jobs) {
  const { waiting, over } = split(jobs);
  const lost = over.filter(({ state }) => state === "interrupted").length;
  if (waiting.length > 1) return `+${waiting.length - 1}`;
  return lost ? `${lost} interrupted` : "";
}

/**
 * Which moves would leave a queued job where it is.
 * @param {Job} job
 * @param {Job[]} jobs
 * @returns {Act[]}
 */
export function uselessActs(job, jobs) {
  if (job.state !== "queued") return [];
  const queue = jobs.filter(({ state }) => state === "queued");
  const place = queue.indexOf(job);
  return [
    ...(place === 0 ? /** @type {Act[]} */ (["first", "up"]) : []),
    ...(place === queue.length - 1 ? /** @type {Act[]} */ (["down"]) : []),
  ];
}

/**
 * A job's state, with the time at which it ended: of another day with its date.
 * @param {Job} job
 * @param {Date} now
 */
export function stateOf(job, now) {
  if (!job.ended) return STATES[job.state];
  return `${STATES[job.state]} ${timeOf(job.ended, now)}`;
}

/**
 * A job's text without what its state says already.
 * @param {Job} job
 */
export const textOf = ({ state, text }) =>
  state === "queued" ? "" : text.replace(/^(Cancelled|Interrupted)( at: |$)/, "");

/**
 * What the header names as active, and what else can be chosen, by what changes in the address.
 * @typedef {object} Chip
 * @property {string} url where it is managed
 * @property {string} label
 * @property {string | null} value
 * @property {string} warning why data set and version do not belong together, or ""
 * @property {{ title: string, query: Record<string, string> }[]} others
 */

/** A version with what is going on with it: "v2 · demo" of "v2 · demo · being updated". @param {Chip} chip */
const settled = ({ value }) => (value || "").split(" · ").slice(0, 2).join(" · ");

/**
 * What another one is active of now than when a page was opened: each as it was and as it is.
 * @param {Chip[]} opened
 * @param {Chip[]} now
 */
export const changedSince = (opened, now) =>
  now.flatMap((chip, at) => {
    const [before, after] = [settled(opened[at]), settled(chip)];
    return before && before !== after ? [{ label: chip.label, before, after }] : [];
  });

/** @param {ReturnType<typeof changedSince>} changed */
export const toldOf = (changed) =>
  changed
    .map(
      ({ label, before, after }) =>
        `${label} ${after || "none"} is now active; it was ${before} when this page was opened.`,
    )
    .join(" ");
