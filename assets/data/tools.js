// The row of tools above the image, and the row that takes its place while a brightness is looked for.
// Knows the store and the drawing; what the server is to do it leaves to `told`.

import { find, make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { TOOLS } from "./state.js";

/**
 * @typedef {import("./state.js").RegionStore} RegionStore
 * @typedef {import("./drawing.js").Drawing} Drawing
 */

/**
 * @param {RegionStore} store
 * @param {Drawing} drawing
 * @param {{ propose: (threshold: number) => void, take: (file: File) => void }} told
 */
export function toolsPane(store, drawing, told) {
  const propose = () => {
    told.propose(Number(level.value));
    level.focus();
  };
  const bright = plain("By brightness…", propose);
  const { row: brightRow, level } = brightnessRow(store, drawing, told.propose);
  const { editor } = drawing;
  const file = make("input", {
    type: "file",
    hidden: true,
    "aria-label": "Mask file",
    onchange: () => {
      const chosen = file.files?.[0];
      file.value = "";
      if (chosen) told.take(chosen);
    },
  });
  const toolRow = make(
    "div",
    { class: "rg-bar" },
    toolSwitch(store),
    brushField(store),
    ...turnButtons(store, drawing),
    plain("Whole image", () => editor.rectangle([0, 0], [editor.width, editor.height])),
    plain("Invert", () => editor.invert(), { title: "Swap inside and outside" }),
    bright,
    plain("From a file…", () => file.click(), {
      title: "A mask the size of the image: white where it counts",
    }),
    file,
  );
  let proposing = false;
  const show = () => {
    const { proposal } = store.get();
    toolRow.style.visibility = proposal ? "hidden" : "";
    brightRow.style.visibility = proposal ? "" : "hidden";
    const isHere = toolRow.closest(".rg")?.contains(document.activeElement);
    if (proposing && !proposal && isHere) bright.focus();
    proposing = Boolean(proposal);
  };
  store.subscribe(["proposal"], show);
  show();
  // One container, so that nothing moves when a tool changes.
  return make("div", { class: "rg-tools" }, toolRow, brightRow);
}

/** @param {RegionStore} store */
function toolSwitch(store) {
  const buttons = TOOLS.map(([tool, words, letter]) => {
    const more = tool === "rectangle" ? "; hold Shift to subtract" : "";
    const title = `${words} (${letter})${more}`;
    const onclick = () => store.patch({ tool });
    return make("button", { type: "button", "data-tool": tool, title, onclick }, words);
  });
  const show = () => {
    const { tool } = store.get();
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  };
  store.subscribe(["tool"], show);
  show();
  return make("div", { class: "rg-switch", role: "group", "aria-label": "Tool" }, ...buttons);
}

/** @param {RegionStore} store */
function brushField(store) {
  const size = make("input", {
    type: "range",
    min: 1,
    max: 100,
    step: 1,
    "aria-label": "Brush size in image pixels",
  });
  size.addEventListener("input", () => store.patch({ brush: Number(size.value) }));
  const field = make("label", { class: "rg-field" }, "Size", size, make("output"));
  const show = () => {
    const { tool, brush, largestBrush } = store.get();
    size.max = String(largestBrush);
    size.disabled = tool === "rectangle";
    size.value = String(brush);
    find(field, "output").textContent = `${brush} px`;
  };
  store.subscribe(["tool", "brush", "largestBrush"], show);
  show();
  return field;
}

/** @param {RegionStore} store @param {Drawing} drawing */
function turnButtons(store, drawing) {
  const undo = plain("Undo", () => drawing.turn("undo"), { title: "Undo (Ctrl+Z)" });
  const redo = plain("Redo", () => drawing.turn("redo"), { title: "Redo (Ctrl+Shift+Z)" });
  const show = () => {
    const { drawn, proposal } = store.get();
    undo.disabled = Boolean(proposal) || !drawn.undoable;
    redo.disabled = Boolean(proposal) || !drawn.redoable;
  };
  store.subscribe(["drawn", "proposal"], show);
  show();
  return [undo, redo];
}

/**
 * @param {RegionStore} store
 * @param {Drawing} drawing
 * @param {(threshold: number) => void} propose
 */
function brightnessRow(store, drawing, propose) {
  const level = make("input", {
    type: "range",
    min: 0,
    max: 254,
    step: 1,
    value: 100,
    "aria-label": "Grey value above which pixels count",
  });
  level.addEventListener("input", () => propose(Number(level.value)));
  const levelText = make("output");
  const adopt = () => {
    const { proposal } = store.get();
    if (proposal?.layer) drawing.give(proposal.layer, proposal.base);
  };
  const accept = make("button", { type: "button", class: "main-button", onclick: adopt }, "Use");
  const show = () => {
    levelText.textContent = level.value;
    accept.disabled = !store.get().proposal?.layer;
  };
  level.addEventListener("input", show);
  store.subscribe(["proposal"], show);
  show();
  const row = make(
    "div",
    { class: "rg-bar rg-bright" },
    make("label", { class: "rg-field" }, "Brighter than", level, levelText),
    accept,
    plain("Cancel", () => store.patch({ proposal: null })),
    make(
      "span",
      { class: "rg-quiet" },
      "Measured on the median of the normal images. For a dark part, press Use, then Invert.",
    ),
  );
  return { row, level };
}
