// What an image was marked as, by whom and where: lines above the panes, and dashes in them.
// Knows the panes' stages; what the buttons do it is given.

import { drawing, find, make } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { polygon, timeOf } from "../shared/words.js";
import { isLoading } from "./state.js";
import { rememberName } from "../shared/who.js";
import { CALLED, COMING, NO_BANK } from "./words.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Mark} Mark */

/**
 * @typedef {object} Acts
 * @property {(action: "missed" | "false_alarm") => unknown} start
 * @property {(proposed: boolean) => unknown} outline
 * @property {(wanted: import("./state.js").Undoable) => unknown} undo
 * @property {(id: string) => unknown} undoOutline
 */

/**
 * @param {import("./state.js").Inspect} inspect
 * @param {import("./panes.js").Pane[]} panes
 * @param {Acts} acts
 */
export function marksPane({ viewer, store }, panes, acts) {
  const buttons = [
    {
      button: find(viewer, ".vw-missed"),
      what: "This is a missed defect: draw it, and the positive bank learns it (M)",
    },
    {
      button: find(viewer, ".vw-false"),
      what: "This is a false alarm: the negative bank learns it (F)",
    },
  ];
  buttons[0].button.addEventListener("click", () => acts.start("missed"));
  buttons[1].button.addEventListener("click", () => acts.start("false_alarm"));
  const lines = find(viewer, ".vw-marks");
  // A line comes with the picture or the result: its room is kept from the start.
  store.subscribe(["id", "byId", "marked"], ({ id, byId, marked }) => {
    const hasLine = id !== null && (marked.has(id) || byId.get(id)?.mask_noted);
    lines.style.minHeight = hasLine ? "24px" : "";
  });
  store.subscribe(["picture", "pictured", "result", "values"], (state) => {
    if (isLoading(state)) return;
    const reason = state.result?.why_not || (state.bank ? "" : state.coming ? COMING : NO_BANK);
    for (const { button, what } of buttons) {
      button.setAttribute("aria-disabled", String(Boolean(reason)));
      button.title = reason || what;
    }
    lines.replaceChildren(...outlineLines(state, acts), ...markLines(state, acts));
    for (const { stage } of panes) showDashes(stage, state);
  });
}

/** @param {State} state @param {Acts} acts */
function outlineLines({ id, picture, bank }, { outline, undoOutline }) {
  if (!picture || id === null) return [];
  const { wanted, by } = picture.outline;
  const title = "The region above the threshold, for you to accept or correct";
  if (wanted) {
    const words = make("span", {}, "This image has a defect but no mask of it:");
    const draw = small("Outline the defect", () => outline(false), { title: "Draw its mask (D)" });
    const accept = small("Outline what the heatmap shows", () => outline(true), { title });
    return [make("p", { class: "vw-markline vw-wantsmask" }, words, draw, bank && accept)];
  }
  if (!by) return [];
  const undo = small("Undo", () => undoOutline(id), { title: "Undo the mask (U)" });
  return [markLine(`Outlined by ${by.who}, ${timeOf(by.created, new Date())}`, by.last && undo)];
}

/** @param {State} state @param {Acts} acts */
const markLines = ({ id, result }, { undo }) =>
  (result?.marks || []).map(({ action, type, who, created, decision }) => {
    const words = `Marked as ${CALLED[action]}${type ? ` (${type})` : ""} by ${who}`;
    const takeBack = () => undo({ id: id || "", decision });
    const button = small("Undo", takeBack, { title: "Undo the mark (U)" });
    return markLine(`${words}, ${timeOf(created, new Date())}`, button);
  });

/** @param {string} words @param {HTMLElement | false} undo */
const markLine = (words, undo) =>
  make(
    "p",
    { class: "vw-markline" },
    make("span", { class: "vw-pen", "aria-hidden": "true" }, "✎"),
    make("span", {}, words),
    undo,
  );

/** Dashes around what was marked. @param {HTMLElement} stage @param {State} state */
function showDashes(stage, { result, picture }) {
  stage.querySelector(".vw-markline-on")?.remove();
  const lines = (result?.marks || []).flatMap((mark) => mark.lines);
  if (!lines.length || !picture || !stage.firstChild) return;
  const path = polygon(lines);
  const svg = drawing(picture.width, picture.height, ["vw-halo", path], ["vw-dashes", path]);
  svg.classList.add("vw-markline-on");
  stage.append(svg);
}

/**
 * Ask the name of somebody whom this browser does not know yet.
 * @param {HTMLElement} viewer
 * @param {() => unknown} then
 */
export function askName(viewer, then) {
  const field = make("input", {
    ...{ type: "text", maxlength: "40", placeholder: "your name", autocomplete: "name" },
    "aria-label": "Your name",
    required: true,
  });
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (rememberName(field.value)) then();
  };
  find(viewer, ".vw-marks").replaceChildren(
    make(
      "form",
      { class: "vw-markline", onsubmit },
      make("span", {}, "Who is undoing it?"),
      field,
      make("button", { type: "submit", class: "plain-button small" }, "Undo"),
    ),
  );
  field.focus();
}
