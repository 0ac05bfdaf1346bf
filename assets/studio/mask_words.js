// What is said about the mask: its size, what is wrong with it, and what it was edited from. Knows the store.

import { find, make } from "../shared/dom.js";
import { warning } from "../shared/parts.js";
import { measuredWords } from "./masks.js";
import { drawSeed, link } from "./parts.js";

/** @param {import("./state.js").Studio} studio */
export function maskWords({ root, store }) {
  const show = () => {
    const { measured, kind, drawn, vary, parent } = store.get();
    const { problem, note } = measured;
    const lines = [];
    if (problem) {
      const isEmpty = kind === "drawn" && !drawn.layer;
      lines.push(
        warning(isEmpty ? "Paint on the image where the defect goes, then press Preview." : problem),
      );
    } else if (note) lines.push(warning(note));
    else if (vary) {
      const other = link("Show another", () => store.patch({ seed: drawSeed(root) }));
      const words = "One of many: each painting gets its own mask; a preview uses this one. ";
      lines.push(make("p", { class: "st-quiet" }, words, other));
    }
    if (parent) {
      const afresh = link("Start over", () => store.patch({ parent: "" }));
      lines.push(make("p", { class: "st-quiet" }, `Edited from ${parent.slice(0, 6)}. `, afresh));
    }
    find(root, ".st-undermask").replaceChildren(...lines);
    find(root, ".st-share").textContent = measuredWords(measured);
  };
  store.subscribe(["measured", "parent"], show);
}
