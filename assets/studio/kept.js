// What this browser keeps of the Studio over a reload: the form and the view. Pure: knows no storage.

import { FORM, FORM_FIELDS, formOf, VIEW } from "./state.js";

/**
 * The text to keep. In it the view is flat, as earlier versions wrote it.
 * @param {Readonly<import("./state.js").State>} state
 */
export function toText(state) {
  const { tool, brush, share, outlined, against, moreSettings, shownId, closed, compared, filter } = state;
  const seen = { tool, brush, share, outlined, against, moreSettings, shown: shownId, closed, compared };
  const view = { ...seen, ...filter };
  return JSON.stringify({ form: formOf(state), view, dataset: state.dataset });
}

/**
 * Form and view out of a kept text; fresh ones where it cannot be read. `dataset` is the one they belong to.
 * @param {string} text
 * @returns {{ form: import("./state.js").Form, view: import("./state.js").View, dataset: string }}
 */
export function fromText(text) {
  let kept;
  try {
    kept = JSON.parse(text || "{}");
  } catch {
    kept = {};
  }
  const { shown, status, engine, prompt, job, ...seen } = kept.view || {};
  const given = Object.entries({ status, engine, prompt, job }).filter(([, value]) => value !== undefined);
  const filter = { ...VIEW.filter, ...Object.fromEntries(given) };
  const form = pick({ ...FORM, ...kept.form });
  return {
    form,
    view: { ...VIEW, ...seen, shownId: shown || "", filter },
    dataset: kept.dataset || "",
  };
}

/**
 * The fields of a form alone.
 * @param {Record<string, unknown>} values
 */
const pick = (values) =>
  /** @type {import("./state.js").Form} */ (
    Object.fromEntries(FORM_FIELDS.map((name) => [name, values[name]]))
  );

/**
 * A form without what means nothing in another data set: masks and images.
 * @param {import("./state.js").Form} form
 * @returns {import("./state.js").Form}
 */
export const elsewhere = (form) => ({
  ...form,
  drawn: FORM.drawn,
  real: FORM.real,
  uploaded: FORM.uploaded,
  parent: "",
});
