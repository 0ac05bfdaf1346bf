// Trimming the mask of a candidate: the bar with its tools, and keeping what is left. Knows the mask editor's
// strokes.

import { find, make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { loaded } from "../shared/pictures.js";
import { changeView } from "./state.js";
import { isOpen } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./view.js").Tool} Tool */
/**
 * @typedef {object} Trimming
 * @property {() => Promise<unknown>} start or stop, where it has begun
 * @property {() => void} stop
 * @property {() => Promise<unknown>} keep
 * @property {(tool: Tool) => void} pick
 * @property {(size: number) => void} resize the brush
 */

/** @type {[tool: Tool, words: string, letter: string][]} */
const TOOLS = [
  ["eraser", "Eraser", "E"],
  ["brush", "Brush", "B"],
];

/** @param {Pane} pane @param {import("./deciding.js").Deciding} deciding @returns {Trimming} */
export function showTrimming(pane, { undoOne }) {
  const { page, store, call, voice, viewer } = pane;
  const stop = () => store.patch({ tool: "" });
  /** @type {Trimming} */
  const trimming = {
    start: voice.attempt(async () => {
      const { shown, at, tool, view } = store.get();
      if (!shown || !isOpen(shown, at)) return;
      if (tool) return stop();
      const { layer, width, height } = await call("mask", { id: shown.id });
      const mask = await loaded(layer);
      if (store.get().at !== shown.id || store.get().tool) return; // another one was opened meanwhile
      viewer.brush = view.brush;
      viewer.open(mask, width, height);
      store.patch({ tool: "eraser" });
    }),
    stop,
    keep: voice.attempt(() => keepMask(pane, undoOne)),
    pick: (tool) => store.patch({ tool }),
    resize: (size) => {
      viewer.brush = Math.max(1, Math.round(size));
      viewer.showBrush();
      changeView(store, { brush: viewer.brush });
    },
  };
  store.subscribe(["tool"], ({ tool }) => viewer.setTool(tool));
  store.subscribe(["tool", "strokes", "view"], () => showBar(pane, trimming));
  find(page, ".cu-trim").addEventListener("click", trimming.start);
  return trimming;
}

/** @param {Pane} pane @param {import("./deciding.js").Deciding["undoOne"]} undoOne */
async function keepMask({ page, store, call, voice, viewer, desk }, undoOne) {
  const { shown, who } = store.get();
  const button = find(page, ".cu-keep", HTMLButtonElement);
  if (!shown || button.disabled) return;
  const { id } = shown;
  button.disabled = true;
  try {
    await call("trim", { id, layer: viewer.editor.toPng(), who });
  } finally {
    button.disabled = !viewer.editor.past.length;
  }
  const isHere = () => store.get().at === id;
  store.patch({ together: [], ...(isHere() && { tool: "" }) });
  await desk.settle();
  if (isHere()) await desk.show(id);
  const lastTrim = () =>
    store.get().past.find((line) => line.action === "trim" && line.subject === id && !line.undone)?.id;
  voice.toast("Only the remaining part of the mask counts.", () => undoOne({ id: lastTrim(), real: false }));
}

/** @param {Pane} pane @param {Trimming} trimming */
function showBar(pane, trimming) {
  const { page, store, viewer } = pane;
  const { tool, view } = store.get();
  const bar = find(page, ".cu-trimbar");
  find(page, ".cu-trim").setAttribute("aria-pressed", String(Boolean(tool)));
  if (tool && bar.hidden) fillBar(bar, pane, trimming);
  bar.hidden = !tool;
  find(page, ".cu-decide").hidden = Boolean(tool);
  if (!tool) return;
  const { past, future } = viewer.editor;
  for (const button of bar.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-tool") === tool));
  }
  find(bar, ".cu-back", HTMLButtonElement).disabled = !past.length;
  find(bar, ".cu-again", HTMLButtonElement).disabled = !future.length;
  find(bar, ".cu-keep", HTMLButtonElement).disabled = !past.length;
  find(bar, "output").textContent = `${view.brush} px`;
  find(bar, "input[type=range]", HTMLInputElement).value = String(view.brush);
}

/** @param {HTMLElement} bar @param {Pane} pane @param {Trimming} trimming */
function fillBar(bar, { store, viewer }, { pick, resize, stop, keep }) {
  const { width = 0, height = 0 } = store.get().shown || {};
  const most = Math.max(8, Math.round(Math.max(width, height) / 6));
  const tools = TOOLS.map(([tool, words, letter]) =>
    make(
      "button",
      { type: "button", "data-tool": tool, title: `${words} (${letter})`, onclick: () => pick(tool) },
      words,
    ),
  );
  /** @type {HTMLInputElement} */
  const size = make("input", {
    ...{ type: "range", min: 1, max: most, step: 1, "aria-label": "Brush size in image pixels" },
    oninput: () => resize(Number(size.value)),
  });
  const { editor } = viewer;
  const undo = { class: "plain-button cu-back", title: "Undo the last stroke (Ctrl+Z)" };
  const keeping = { class: "main-button cu-keep", title: "Save the trimmed mask (Enter)" };
  bar.replaceChildren(
    make("div", { class: "st-switch", role: "group", "aria-label": "Tool" }, ...tools),
    make("label", { class: "st-slider cu-size" }, make("span", {}, "Size"), make("output"), size),
    plain("Undo", () => editor.undo(), undo),
    plain("Redo", () => editor.redo(), { class: "plain-button cu-again" }),
    make("span", { class: "st-space" }),
    plain("Cancel", stop, { title: "Leave the mask unchanged (Esc)" }),
    plain("Save", keep, keeping),
  );
}
