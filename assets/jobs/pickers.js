// Data set and bank version in the header: each opens a list of others, which this tab then works with. Where the two
// do not belong together, the version is amber. Knows the chips; what a page shows of them is the page's.

import { find, make } from "../shared/dom.js";
import { pin } from "../shared/tab.js";

/** @typedef {import("./words.js").Chip} Chip */

/** @param {HTMLElement} element @param {import("../shared/store.js").Store<{ chips: Chip[] }>} store */
export function pickers(element, store) {
  const box = find(element, ".frame-chips");
  store.subscribe(["chips"], ({ chips }) => box.replaceChildren(...chips.map(picker)));
  document.addEventListener("pointerdown", ({ target }) => {
    for (const open of box.querySelectorAll("details[open]"))
      if (!(target instanceof Node && open.contains(target))) open.removeAttribute("open");
  });
}

/** @param {Chip} chip */
function picker({ url, label, value, warning, others }) {
  const shown = value || `no ${label.toLowerCase()} yet`;
  const summary = make(
    "summary",
    { class: `chip${warning ? " chip-warn" : ""}`, title: warning || shown },
    value && make("span", { class: "chip-label" }, label),
    ` ${warning ? "⚠ " : ""}${shown}`,
  );
  const links = others.map(({ title, query }) => {
    const address = `${query.bank ? "./" : ""}?${new URLSearchParams(query)}`;
    return make("a", { href: address, onclick: () => pin(query.dataset) }, title);
  });
  const all = make(
    "a",
    { class: "pick-all", href: url },
    label === "Bank" ? "All versions…" : "All data sets…",
  );
  return make("details", { class: "pick" }, summary, make("div", { class: "pick-list" }, ...links, all));
}
