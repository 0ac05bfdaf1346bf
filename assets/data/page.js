// The region of interest on the Data page: drawn on a picture of the active data set, by brightness, or
// from a file. Puts the panes together and looks which data set is active; the full mask and every
// sentence about it are the server's (pages/data/region.py).

import { make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { caller } from "../shared/server.js";
import { createStore } from "../shared/store.js";
import { pin } from "../shared/tab.js";
import { changer, opener, proposer, stepper, taker } from "./changes.js";
import { keepPane } from "./keep.js";
import { voiceIn } from "./parts.js";
import { stagePane } from "./stage.js";
import { FRESH, TOOLS } from "./state.js";
import { toolsPane } from "./tools.js";
import { captionOf, nextBrush, shareWords } from "./words.js";

/** @typedef {import("./state.js").RegionStore} RegionStore */

/**
 * Called by Gradio once the component stands.
 * @param {HTMLElement} element
 * @param {import("../shared/server.js").Server} server
 * @param {{
 *   upload: (file: File) => Promise<{ path: string }>,
 *   watch: (property: string, then: () => void) => void,
 *   changed: () => void,
 * }} page what Gradio offers, and what to call after a change
 */
export function start(element, server, { upload, watch, changed }) {
  const store = createStore(FRESH);
  const voice = voiceIn();
  const { stage, drawing, open } = stagePane(store);
  const region = { store, call: caller(server), drawing, voice, upload, changed };
  const { row: keepRow, ask } = keepPane(store, changer(region));
  const root = make(
    "div",
    { class: "rg" },
    make(
      "p",
      { class: "rg-what" },
      "Nothing outside it counts in banks, scores, figures or painting. ",
      "Existing banks keep their own.",
    ),
    toolsPane(store, drawing, { propose: proposer(region), take: taker(region) }),
    make("div", { class: "rg-view" }, stage),
    imageRow(store, stepper(region)),
    keepRow,
    voice.box,
  );
  root.addEventListener("keydown", (event) => onKey(event, store, drawing, () => ask("save")));
  store.subscribe(["picture"], ({ picture }) => root.classList.toggle("rg-ready", Boolean(picture)));
  follow(element, root, region, watch, opener(region, open));
  element.append(root);
}

/**
 * Let this tab work on the data set that the page shows, and begin anew whenever that is another one or in another state,
 * unless something is being drawn.
 * @param {HTMLElement} element
 * @param {HTMLElement} root
 * @param {import("./changes.js").Region} region
 * @param {(property: string, then: () => void) => void} watch
 * @param {(index: number) => void} open
 */
function follow(element, root, { store, drawing, voice }, watch, open) {
  let visible = false;
  const settle = () => {
    const now = /** @type {HTMLElement | null} */ (element.querySelector("[data-dataset]"));
    if (!root.isConnected) element.append(root);
    pin(now?.dataset.dataset ?? "");
    if (!now || !visible) return;
    const { dataset = "", state: number = "" } = now.dataset;
    const before = store.get();
    const other = dataset !== before.dataset;
    const isDrawing = drawing.editor.past.length > 0 && before.busy === "";
    store.patch({ dataset, number });
    if (!other && (number === before.number || isDrawing)) return;
    if (other) voice.say("");
    open(other ? 0 : (before.picture?.index ?? 0));
  };
  watch("value", settle);
  settle();
  // Request nothing while the section is folded.
  new IntersectionObserver((seen) => {
    if (visible || !seen.some((one) => one.isIntersecting)) return;
    visible = true;
    settle();
  }).observe(element);
}

/**
 * The row that names the image and leads to the others.
 * @param {RegionStore} store
 * @param {(by: number) => void} step
 */
function imageRow(store, step) {
  const buttons = [plain("‹ Previous", () => step(-1)), plain("Next ›", () => step(1))];
  const caption = make("span", { class: "rg-caption" });
  const share = make("span", { class: "rg-share", role: "status" });
  store.subscribe(["picture"], ({ picture }) => {
    if (!picture) return;
    const { words, title } = captionOf(picture);
    caption.textContent = words;
    caption.title = title;
    for (const button of buttons) button.disabled = picture.number < 2;
  });
  store.subscribe(["drawn", "proposal"], (state) => (share.textContent = shareWords(state)));
  return make("div", { class: "rg-bar" }, ...buttons, caption, make("span", { class: "rg-space" }), share);
}

/**
 * @param {KeyboardEvent} event
 * @param {RegionStore} store
 * @param {import("./drawing.js").Drawing} drawing
 * @param {() => void} save
 */
function onKey(event, store, drawing, save) {
  const pressed = event.key.toLowerCase();
  const isCommand = event.ctrlKey || event.metaKey;
  if (event.target instanceof HTMLInputElement && event.target.type === "text") {
    if (event.key !== "Enter") return;
    event.preventDefault();
    save();
    return;
  }
  const { proposal, brush, largestBrush } = store.get();
  const tool = TOOLS.find(([, , letter]) => letter.toLowerCase() === pressed)?.[0];
  if (isCommand && (pressed === "z" || pressed === "y")) {
    drawing.turn(event.shiftKey || pressed === "y" ? "redo" : "undo");
  } else if (isCommand || event.altKey) return;
  else if (proposal && pressed === "escape") store.patch({ proposal: null });
  else if (tool) store.patch({ tool });
  else if ((pressed === "[" || pressed === "]") && brush) {
    store.patch({ brush: nextBrush(brush, largestBrush, pressed === "]") });
  } else return;
  event.preventDefault();
}
