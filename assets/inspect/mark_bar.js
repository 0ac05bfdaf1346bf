// The bar of tools for drawing on the image: brush, undo, which type of defect, and who says so.
// Knows the bar's element; what its buttons do is the marker's.

import { find, make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { all, press, quiet } from "./parts.js";
import { knownName, rememberName } from "../shared/who.js";

/**
 * @typedef {import("./state.js").Marking} Marking
 * @typedef {import("./marker.js").Marker} Tools
 *
 * @typedef {object} Words
 * @property {string} title
 * @property {string} what is to be done
 * @property {string} keeps what the Save button does
 * @property {string} keeping said while it does
 */

const NO_NAME = 'Enter your name in "By": it is stored with the mark. Then save again.';
const MARKING = { keeps: "Teach the bank (Enter)", keeping: "Teaching the bank…" };

/** @type {Record<Marking["action"], Words>} */
const WORDS = {
  missed: {
    title: "Missed defect",
    what: "Draw over the defect. Its patches go into the positive bank.",
    ...MARKING,
  },
  false_alarm: {
    title: "False alarm",
    what: "The marked area goes into the negative bank.",
    ...MARKING,
  },
  outline: {
    title: "Outline of the defect",
    what: "Draw over the defect. The mask is saved with the data set, and banks built from then on learn it.",
    keeps: "Save the mask (Enter)",
    keeping: "Saving the mask…",
  },
};

/**
 * @param {Tools} tools
 * @param {Marking} marking
 * @param {import("./marker.js").Ground} ground
 * @param {number} most diameter of the brush
 */
export function barOf(tools, { action, words, warning, isTrue }, { types, type, hasTruth }, most) {
  const { title, what, keeps } = WORDS[action];
  const { editor } = tools;
  return [
    make(
      "div",
      { class: "vw-marktop" },
      make("b", {}, title),
      make("span", {}, words || what),
      warning && quiet(warning),
    ),
    make(
      "div",
      { class: "vw-switch", role: "group", "aria-label": "Tool" },
      toolButton(tools, "brush", "Brush (B)"),
      toolButton(tools, "eraser", "Eraser (E)"),
    ),
    sizeField(tools, most),
    plain("Undo", () => editor.undo(), {
      class: "plain-button vw-back",
      title: "Undo the last stroke (Ctrl+Z)",
    }),
    plain("Redo", () => editor.redo(), { class: "plain-button vw-again" }),
    ...(action === "missed" && hasTruth && !isTrue ? [truthButton(tools)] : []),
    ...(action === "missed" ? [typeField(tools, type)] : []),
    make("datalist", { id: "vw-types" }, ...types.map((value) => make("option", { value }))),
    nameField(tools),
    make("span", { class: "vw-noname", role: "alert", hidden: true }, NO_NAME),
    make(
      "span",
      { class: "vw-ends" },
      plain("Cancel", () => tools.told.leave(), { title: "Discard the drawing (Esc)" }),
      plain("Save", () => tools.keep(), { class: "main-button vw-keep", title: keeps }),
    ),
  ];
}

/** @param {Tools} tools @param {"brush" | "eraser"} tool @param {string} title */
function toolButton(tools, tool, title) {
  const onclick = () => tools.pick(tool);
  return make("button", { type: "button", "data-tool": tool, title, onclick }, title.split(" ")[0]);
}

/** @param {Tools} tools @param {number} most */
function sizeField(tools, most) {
  /** @type {HTMLInputElement} */
  const slider = make("input", {
    ...{ type: "range", class: "vw-brushsize", min: 1, max: most, step: 1, value: tools.brush },
    "aria-label": "Brush size in image pixels",
    oninput: () => tools.resize(Number(slider.value)),
  });
  return make("label", { class: "vw-field" }, "Size", slider, make("output", { class: "vw-percent" }));
}

/** @param {Tools} tools */
const truthButton = (tools) =>
  plain("Use the true outline", () => tools.told.truth(), {
    class: "plain-button vw-usetruth",
    title: "Start with the data set's mask of this defect",
  });

/** @param {Tools} tools @param {string} type */
const typeField = (tools, type) =>
  make(
    "label",
    { class: "vw-field" },
    "Type",
    textField(tools, {
      ...{ class: "vw-type", list: "vw-types", maxlength: "80", value: type },
      ...{ placeholder: "optional", autocomplete: "off" },
    }),
  );

/** @param {Tools} tools */
const nameField = (tools) =>
  make(
    "label",
    { class: "vw-field" },
    "By",
    textField(tools, {
      ...{ class: "vw-who", maxlength: "40", value: knownName(), placeholder: "your name" },
      ...{ autocomplete: "name", title: "Your name is stored with the mark; this browser remembers it" },
    }),
  );

/**
 * A field in which Enter keeps and Escape gives up the keys.
 * @param {Tools} tools
 * @param {import("../shared/dom.js").Properties} more
 */
function textField(tools, more) {
  const field = make("input", { type: "text", ...more });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      event.stopPropagation();
      tools.keep();
    }
    if (event.key === "Escape") field.blur();
  });
  return field;
}

/** Show what the tools are at. @param {Tools} tools @param {Marking} marking */
export function showBar({ bar, editor, tool, brush, isBusy, isReady }, { action }) {
  press(bar, "tool", tool);
  find(bar, ".vw-back", HTMLButtonElement).disabled = !editor.past.length;
  find(bar, ".vw-again", HTMLButtonElement).disabled = !editor.future.length;
  find(bar, ".vw-brushsize", HTMLInputElement).value = String(brush);
  find(bar, "output").textContent = `${brush} px`;
  const keep = find(bar, ".vw-keep", HTMLButtonElement);
  keep.disabled = !isReady;
  keep.textContent = isBusy ? WORDS[action].keeping : "Save";
}

/**
 * What was typed; asks for the name where it is missing.
 * @param {HTMLElement} bar
 */
export function typed(bar) {
  const name = find(bar, ".vw-who", HTMLInputElement);
  const who = rememberName(name.value);
  find(bar, ".vw-noname").hidden = Boolean(who);
  name.setAttribute("aria-invalid", String(!who));
  if (!who) name.focus();
  const [type] = all(bar, ".vw-type");
  return { who, type: type instanceof HTMLInputElement ? type.value : "" };
}
