// One setting of an engine as a row: label, field, help, and a way back to the default. Knows one setting.

import { make } from "../shared/dom.js";
import { isNumber, rangeWords, readNumber, shownValue } from "./settings.js";

/**
 * @typedef {import("./settings.js").Control} Control
 * @typedef {(value: unknown) => void} Change undefined sets it back
 */

/**
 * @param {Control} control
 * @param {any} value
 * @param {(name: string, value: unknown) => void} change
 */
export function controlRow(control, value, change) {
  const id = `st-setting-${control.name}`;
  const back = () => {
    change(control.name, undefined);
    box.replaceWith(controlRow(control, control.default, change));
  };
  const title = `Reset to ${shownValue(control, control.default)}`;
  const reset = make("button", { type: "button", class: "st-reset", title, onclick: back }, "reset");
  reset.hidden = value === control.default;
  const fields = fieldsOf(control, id, value, (given) => {
    change(control.name, given);
    reset.hidden = given === control.default;
  });
  const unit = control.unit && make("span", { class: "st-unit" }, control.unit);
  const box = make(
    "div",
    { class: `st-control ${control.kind === "text" ? "st-wider" : ""}`, "data-control": control.name },
    make("label", { for: id }, control.title, unit, reset),
    ...fields,
    make("span", { class: "st-help" }, rangeWords(control) + control.help),
  );
  return box;
}

/** @param {Control} control @param {string} id @param {any} value @param {Change} change */
function fieldsOf(control, id, value, change) {
  if (isNumber(control)) return numberFields(control, id, value, change);
  if (control.kind === "switch") {
    const field = make("input", { type: "checkbox", id, checked: value });
    field.addEventListener("change", () => change(field.checked));
    return [field];
  }
  if (control.kind === "choice") {
    const options = control.choices.map((choice) =>
      make("option", { value: choice, selected: choice === value }, choice),
    );
    const field = make("select", { id }, ...options);
    field.addEventListener("change", () => change(field.value));
    return [make("span"), field];
  }
  const field = make("input", { type: "text", id, value, spellcheck: "false" });
  field.addEventListener("input", () => change(field.value));
  return [make("span"), field];
}

/**
 * A number, and a range where it has limits.
 * @param {Control} control
 * @param {string} id
 * @param {any} value
 * @param {Change} change
 */
function numberFields(control, id, value, change) {
  const { minimum, maximum, kind, title } = control;
  const step = control.step ?? (kind === "integer" ? 1 : "any");
  const limits = { min: minimum, max: maximum, step, value };
  const number = make("input", { type: "number", id, ...limits });
  const range = make("input", { type: "range", ...limits, "aria-label": title });
  range.value = String(value);
  number.addEventListener("input", () => {
    range.value = number.value;
    change(readNumber(control, number.value));
  });
  range.addEventListener("input", () => {
    number.value = range.value;
    change(readNumber(control, range.value));
  });
  return minimum === null || maximum === null ? [number] : [number, range];
}
