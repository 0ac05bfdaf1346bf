// The Studio page: which image, which mask, which prompt and settings; preview, comparison, batch; what
// came of them. Puts the panes together; they talk through the store. It keeps what a person typed and
// painted; every picture, mask and number comes from the server (pages/studio/page.py).

import { find } from "../shared/dom.js";
import { caller } from "../shared/server.js";
import { createStore } from "../shared/store.js";
import { voice } from "../shared/voice.js";
import { actionsPane } from "./actions_pane.js";
import { compareDialog } from "./compare_dialog.js";
import { comparisonPane } from "./comparison_pane.js";
import { dialogOf, nameAsker, wordList } from "./dialog.js";
import { maskSources } from "./donors.js";
import { enginePane } from "./engine_pane.js";
import { keep, opener, watch } from "./enter.js";
import { WHOLE } from "./geometry.js";
import { wireKeys } from "./keys.js";
import { libraryDialog } from "./library.js";
import { maskPane } from "./mask_pane.js";
import { maskTools, pickTool } from "./mask_tools.js";
import { maskWords } from "./mask_words.js";
import { nextBrush } from "./masks.js";
import { painter as painterOf } from "./painting.js";
import { all } from "./parts.js";
import { promptPane } from "./prompt_pane.js";
import { keeper, looker, pinner, refresher, remover } from "./results.js";
import { resultPane } from "./result_pane.js";
import { resultsPane } from "./results_pane.js";
import { editor as editorOf, reseeder } from "./reuse.js";
import { shuffler, sourcesPane, stepper } from "./sources.js";
import { FRESH } from "./state.js";
import { teachingPane } from "./teaching.js";
import { watchRoom } from "./zooming.js";

/** @typedef {import("./state.js").Studio} Studio */

/**
 * Called by Gradio once the component stands.
 * @param {HTMLElement} root
 * @param {import("../shared/server.js").Server} server
 * @param {(file: File) => Promise<{ path: string }>} upload
 */
export async function start(root, server, upload) {
  /** @type {Studio} */
  const studio = { root, store: createStore(FRESH), call: caller(server), upload, ...voice(root) };
  const painter = painterOf(studio);
  const refresh = refresher(studio);
  const sources = maskSources(studio);
  const dialogs = dialogsOf(studio, painter);

  const mask = maskPane(studio);
  maskTools(studio, mask.editor, sources);
  maskWords(studio);
  const edit = editorOf(studio);
  const keepDrafts = keeper(studio, refresh);
  const acts = { edit, reseed: reseeder(studio, painter), remove: remover(studio, refresh) };
  const pin = pinner(studio);
  resultPane(studio, { ...acts, pin, keep: keepDrafts, look: looker(studio) });
  watchRoom(studio);
  sourcesPane(studio);
  promptPane(studio, dialogs);
  enginePane(studio, sources.loadDonors, dialogs.words);
  teachingPane(studio);
  actionsPane(studio, painter, dialogs.compare, refresh);
  resultsPane(studio, refresh, painter.preview);
  comparisonPane(studio, keepDrafts);
  wireKeys(root, keyActs(studio, painter, mask, { library: dialogs.library, keep: keepDrafts }));
  wireDrop(root, sources.takeFile);
  wireWindow(root);
  keep(studio);

  const open = opener(studio, painter, mask.shown);
  await open();
  find(root, ".studio").classList.add("st-ready");
  watch(studio, open, refresh);
}

/** @param {Studio} studio @param {import("./painting.js").Painter} painter */
function dialogsOf(studio, painter) {
  const dialog = dialogOf(studio.root);
  return {
    askName: nameAsker(dialog),
    library: libraryDialog(studio, dialog),
    compare: compareDialog(studio, dialog, painter),
    words: wordList(studio, dialog),
  };
}

/**
 * @param {Studio} studio
 * @param {import("./painting.js").Painter} painter
 * @param {ReturnType<typeof maskPane>} mask
 * @param {{ library: () => unknown, keep: (ids: string[]) => unknown }} more
 * @returns {import("./keys.js").Acts}
 */
function keyActs(studio, { preview, queue }, { editor, zoomToMask }, { library, keep }) {
  const { store } = studio;
  const step = stepper(studio);
  const size = (/** @type {boolean} */ up) => store.patch({ brush: nextBrush(store.get(), up) });
  const undo = (/** @type {boolean} */ redo) => {
    const isDrawn = store.get().kind === "drawn";
    if (isDrawn && redo) editor.redo();
    else if (isDrawn) editor.undo();
    return isDrawn;
  };
  const keys = {
    b: () => pickTool(studio, "brush"),
    e: () => pickTool(studio, "eraser"),
    p: () => pickTool(studio, "polygon"),
    "[": () => size(false),
    "]": () => size(true),
    z: zoomToMask,
    r: shuffler(studio),
    j: () => step(1),
    k: () => step(-1),
    o: () => store.patch({ outlined: !store.get().outlined }),
    c: () => {
      const { shown } = store.get();
      if (shown) pinner(studio)(shown);
    },
    h: () => store.patch({ heated: !store.get().heated }),
    g: () => {
      const { shown } = store.get();
      if (shown?.status === "draft") keep([shown.id]);
    },
    l: library,
    0: () => store.patch({ zoom: WHOLE }),
  };
  return { preview, queue, undo, space: (space) => store.patch({ space }), keys };
}

/**
 * Take a mask file that is dropped on the image.
 * @param {HTMLElement} root
 * @param {(file: File) => unknown} take
 */
function wireDrop(root, take) {
  const hint = find(root, ".st-drop");
  for (const kind of /** @type {const} */ (["dragenter", "dragover", "dragleave", "drop"])) {
    find(root, "[data-pane=mask]").addEventListener(kind, (event) => {
      const { dataTransfer } = event;
      if (!dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      hint.hidden = kind === "dragleave" || kind === "drop";
      hint.textContent = "Drop a mask file: white where the defect goes";
      if (kind === "drop") take(dataTransfer.files[0]);
    });
  }
}

/**
 * The settings end at the lower edge of the window, so that the buttons are always in sight; a menu
 * closes when something else is pressed.
 * @param {HTMLElement} root
 */
function wireWindow(root) {
  const right = find(root, ".st-right");
  const fit = () => {
    const top = Math.max(72, right.getBoundingClientRect().top);
    right.style.setProperty("--st-room", `${Math.max(400, window.innerHeight - top - 16)}px`);
  };
  window.addEventListener("scroll", fit, { passive: true });
  window.addEventListener("resize", fit);
  new ResizeObserver(fit).observe(document.body);
  document.addEventListener("pointerdown", (event) => {
    for (const menu of all(root, "details.st-menu[open]")) {
      if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
    }
  });
}
