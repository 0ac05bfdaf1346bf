// What stands above and below the panes: verdicts, scores, probability, bank version, and the reasons.
// Knows the panes' heads and notes, and does not ask the server.

import { find, make } from "../shared/dom.js";
import { quiet, verdict } from "./parts.js";
import { isLoading } from "./state.js";
import { fixed, meaning, METHODS, otherScore, outcome, percent, scoreOf, TITLES, truthOf } from "./words.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Result} Result */
/** @typedef {import("./words.js").Entry} Entry */
/** @typedef {import("./words.js").Method} Method */

const FREQUENT =
  "Probability of a defect in this image if defects were as frequent as among the training images";
const EQUAL = " This bank version knows no defects yet; until it does, ExDD equals PatchCore.";

/**
 * @param {import("./state.js").Inspect} inspect
 * @param {import("./panes.js").Pane[]} panes
 */
export function headsPane({ viewer, store }, panes) {
  const reasons = find(viewer, ".vw-reasons");
  store.subscribe(["picture", "pictured", "result", "values"], (state) => {
    const image = state.byId.get(state.id || "");
    if (isLoading(state) || !image) return;
    for (const { head, note, title } of panes) {
      head.replaceChildren(make("span", {}, title));
      note.replaceChildren();
    }
    panes[0].note.append(...imageNotes(image, state));
    reasons.replaceChildren();
    const { result } = state;
    if (!result) return;
    METHODS.forEach((method, at) => {
      const { head, note } = panes[at + 1];
      const shown = verdict(image, result[method], state.values);
      shown.title = meaning(result[method]);
      head.append(shown);
      note.append(...methodNotes(method, image, result, state));
      reasons.append(reason(method, result));
    });
    panes[3].note.append(
      quiet(`Bank ${result.bank} · ExDD minus PatchCore`),
      quiet("orange: ExDD higher, blue: lower"),
    );
  });
}

/** @param {Entry} image @param {State} state */
const imageNotes = (image, { picture }) => [
  make("span", {}, truthOf(image)),
  quiet(picture ? `${picture.width} × ${picture.height} pixels` : ""),
  ...(picture?.notes || []).map((words) => make("span", { class: "vw-told-of" }, words)),
];

/**
 * @param {Method} method
 * @param {Entry} image
 * @param {Result} result
 * @param {State} state
 */
function methodNotes(method, image, result, { was, values }) {
  const side = result[method];
  const notes = [];
  if (method === "exdd" && was) {
    const words = outcome(image, was.verdict).words.toLowerCase();
    notes.push(make("span", { class: "vw-was" }, `Before: ${fixed(scoreOf(was, values))}, ${words}`));
  }
  if (side.probability !== null) {
    const words = `Probability ${percent(side.probability)}`;
    notes.push(make("span", { class: "vw-probability", title: FREQUENT }, words));
  }
  const bank = `Bank ${result.bank} · ${side.fusion}`;
  const raw = values === "raw" ? [quiet(otherScore(side))] : [];
  return [...notes, quiet(bank, { class: "vw-quiet vw-bank" }), ...raw];
}

/** @param {Method} method @param {Result} result */
function reason(method, result) {
  const equal = method === "exdd" && !result.positive ? EQUAL : "";
  const words = result[method].reason + equal;
  return make("p", { class: `vw-why-${method}` }, make("b", {}, `${TITLES[method]}: `), words);
}
