// What tables and cards of a measurement are made of. Knows elements and no measurement.

import { make } from "../shared/dom.js";
import { csvOf } from "./figures.js";

/** @typedef {import("../shared/dom.js").Child} Child */

/** A small line below a number. @param {string} words */
export const under = (words) => make("span", { class: "ms-under" }, words);

/** @param {string} words */
export const said = (words) => make("p", { class: "ms-said" }, words);

/** @param {...(Child | Child[])} inside */
export const cell = (...inside) => make("td", { class: "ms-number" }, ...inside);

/** @param {string[]} names @param {string} [kind] */
export const heads = (names, kind = "ms-number") =>
  names.map((name) => make("th", { class: kind, scope: "col" }, name));

/** A heading over columns. @param {number} columns @param {string} words @param {string} [kind] */
export const group = (columns, words, kind) =>
  make("th", { colspan: columns, scope: "colgroup", class: kind }, words);

/** A section with a heading; `head` is its first line. @param {string} title @param {...Child} inside */
export function card(title, ...inside) {
  const head = make("div", { class: "ms-head" }, make("h2", {}, title));
  const node = make("section", { class: "ms-card", "aria-label": title }, head, ...inside);
  return { node, head };
}

/**
 * @param {string} words
 * @param {() => unknown} onclick
 * @param {import("../shared/dom.js").Properties} [more]
 */
export const button = (words, onclick, more = {}) =>
  make("button", { type: "button", class: "ms-button", onclick, ...more }, words);

/** @param {string} label @param {...HTMLButtonElement} buttons */
export const switchOf = (label, ...buttons) =>
  make("div", { class: "ms-switch", role: "group", "aria-label": label }, ...buttons);

export const space = () => make("span", { class: "ms-space" });

/** @param {() => unknown[][]} rows @param {string} name @param {string} [words] */
export const csvButton = (rows, name, words = "CSV") =>
  button(words, () => saveRows(rows(), name), { title: "As a file" });

/**
 * The text of a table's cells; a cell over several columns is followed by empty ones.
 * @param {HTMLTableElement} table
 */
export const rowsOf = (table) =>
  [...table.rows].map((row) =>
    [...row.cells].flatMap((one) => {
      const words = [...one.childNodes].map((part) => (part.textContent || "").trim()).join("; ");
      return [words, ...Array(one.colSpan - 1).fill("")];
    }),
  );

/** @param {unknown[][]} rows @param {string} name */
function saveRows(rows, name) {
  const file = new Blob([csvOf(rows)], { type: "text/csv" });
  const link = make("a", { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
