// The Inspect page: filmstrip or table, four panes, what a click found, marks. Puts the panes together; they
// talk through the store. It keeps nothing but what a person chose to see: every number and every colour
// comes from the server (pages/inspect/).

import { find, make } from "../shared/dom.js";
import { caller, SILENT } from "../shared/server.js";
import { createStore } from "../shared/store.js";
import { voice } from "../shared/voice.js";
import { addMenu } from "./adding.js";
import { createCache } from "./cache.js";
import { drawingPane } from "./drawing_pane.js";
import { chosenPane } from "./chosen.js";
import { filtersPane } from "./filters.js";
import { headsPane } from "./heads.js";
import { wireKeys } from "./keys.js";
import { layersPane } from "./layers.js";
import { startMark, startOutline, undoMark, undoOutline } from "./marking.js";
import { marksPane } from "./marks.js";
import { matchPane } from "./match.js";
import { moreLikeLink } from "./more_like.js";
import { addressed, checkBank, openAddress, openList, select } from "./opening.js";
import { buildGrid, layoutPane } from "./panes.js";
import { all } from "./parts.js";
import { choosePoint } from "./point.js";
import { wirePointer } from "./pointing.js";
import { regionsPane } from "./regions.js";
import { scalesPane } from "./scales.js";
import { exportMenu, scoringPane } from "./scoring.js";
import { initial, isBare, keep } from "./state.js";
import { stripPane } from "./strip.js";
import { tablePane } from "./table.js";
import { thresholdPane } from "./threshold.js";
import { viewingPane } from "./viewing.js";

/** @typedef {import("./state.js").Inspect} Inspect */

/** Images whose pictures and maps stay in the browser. */
const KEPT = 24;
/** Milliseconds that a toast lasts, without and with an Undo. */
const TOLD = 5000;
const UNDOABLE = 12000;

/**
 * Called by Gradio once the component stands.
 * @param {HTMLElement} element
 * @param {import("../shared/server.js").Server} server
 * @param {(file: File) => Promise<{ path: string }>} upload
 * @param {import("./state.js").Terms} terms
 */
export function start(element, server, upload, terms) {
  const inspect = inspectOf(element, server, upload, terms);
  const { viewer, store } = inspect;
  const grid = buildGrid(viewer);
  const open = (/** @type {string} */ id) => select(inspect, id);
  keep(store);
  showNeed(inspect);
  const marker = drawingPane(inspect, grid.panes[0]);
  viewingPane(inspect);
  filtersPane(inspect, { openList: (list) => openList(inspect, list), select: open });
  stripPane(inspect, open);
  tablePane(inspect, open);
  chosenPane(inspect);
  layersPane(inspect, grid.panes);
  headsPane(inspect, grid.panes);
  scalesPane(store, grid);
  marksPane(inspect, grid.panes, {
    start: (action) => startMark(inspect, action),
    outline: (proposed) => startOutline(inspect, proposed),
    undo: (wanted) => undoMark(inspect, wanted),
    undoOutline: (id) => undoOutline(inspect, id),
  });
  matchPane(inspect);
  regionsPane(inspect, grid);
  moreLikeLink(inspect);
  scoringPane(inspect);
  layoutPane(inspect, grid);
  wirePointer(store, grid, (x, y) => choosePoint(inspect, x, y));
  exportMenu(inspect);
  thresholdPane(inspect);
  addMenu(inspect);
  wireKeys(inspect, marker);
  wireDocument(inspect);
  openAddress(inspect);
}

/**
 * @param {HTMLElement} element
 * @param {import("../shared/server.js").Server} server
 * @param {Inspect["upload"]} upload
 * @param {import("./state.js").Terms} terms
 * @returns {Inspect}
 */
function inspectOf(element, server, upload, terms) {
  const ask = caller(server);
  const { say, attempt, toast } = voice(element);
  const store = createStore(initial(terms, addressed("bank")));
  return {
    ...{ viewer: find(element, ".viewer"), store, upload, terms, say, attempt },
    ...{ pictures: createCache(KEPT), results: createCache(KEPT) },
    // Keep showing this version while another one is made active.
    call: (name, argument = {}) =>
      ask(name, { bank: store.get().wantedBank ?? store.get().bank, ...argument }),
    toast: (words, undo) => toast(words, undo, undo ? UNDOABLE : TOLD),
  };
}

/**
 * Say what is missing for this page to be of use; where there is no image at all, nothing else is shown.
 * @param {Inspect} inspect
 */
function showNeed({ viewer, store }) {
  const box = find(viewer, ".vw-need");
  store.subscribe(["need", "lists"], (state) => {
    const { need } = state;
    box.hidden = !need;
    for (const part of [".vw-main", ".vw-bar"]) find(viewer, part).hidden = isBare(state);
    if (!need) return;
    box.replaceChildren(
      make("p", { class: "empty-title" }, need.title),
      make("p", {}, need.text),
      make("a", { class: "main-button", href: need.link }, need.button),
    );
  });
}

/**
 * Look whether the bank has changed whenever the page is seen again; open the image again that a silent server did not
 * show; close a menu when something else is pressed.
 * @param {Inspect} inspect
 */
function wireDocument(inspect) {
  const { viewer, store, call } = inspect;
  const check = () => {
    const { list, job, marking, seen } = store.get();
    if (document.hidden || !list || job || marking) return;
    const checked = call("progress", { seen }).then((answer) => checkBank(inspect, answer));
    checked.catch(() => {}); // a failure is shown on the next click
  };
  document.addEventListener("visibilitychange", check);
  document.addEventListener("exdd-active", check); // the header noticed another active version or data set
  document.addEventListener("exdd-answers", () => {
    const { cover, id } = store.get();
    if (id && cover?.kind === "failed" && cover.words === SILENT) select(inspect, id);
  });
  document.addEventListener("pointerdown", ({ target }) => {
    for (const menu of /** @type {HTMLDetailsElement[]} */ (all(viewer, "details[open]")))
      if (!(target instanceof Node && menu.contains(target))) menu.open = false;
  });
}
