// What lies in the panes: the image, the maps over it, the outline of the truth, the box of the patch that
// was chosen, and what stands over a pane that has no map. Knows the panes, and does not ask the server.

import { drawing, find, make } from "../shared/dom.js";
import { withLinks } from "../shared/parts.js";
import { polygon } from "../shared/words.js";
import { quiet } from "./parts.js";
import { isLoading } from "./state.js";
import { COMING } from "./words.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Picture} Picture */
/** @typedef {import("./panes.js").Pane} Pane */

/**
 * @param {import("./state.js").Inspect} inspect
 * @param {Pane[]} panes
 */
export function layersPane({ viewer, store }, panes) {
  store.subscribe(["picture", "pictured"], (state) => {
    if (!isLoading(state)) showPicture(panes, state);
  });
  store.subscribe(["picture", "pictured", "result", "values"], (state) => {
    if (!isLoading(state)) showMaps(panes, state);
  });
  store.subscribe(["box"], (state) => showBox(panes, state));
  store.subscribe(["cover", "coming"], (state) => showCover(panes, state));
  // The panes are seen once there is something in them: what stands above has its height then.
  store.subscribe(["pictured", "cover"], ({ pictured, cover }) => {
    if (pictured || cover) viewer.classList.add("vw-opened");
  });
  const [below, hints] = [find(viewer, ".vw-below"), find(viewer, ".vw-hints")];
  // What stands above the hints has its height with a match: until then they are not seen, and later what was found
  // on the image before leaves its height to the next one.
  store.subscribe(["cover", "match"], ({ cover, match }) => {
    const isSettled = Boolean(match || (cover && cover.kind !== "waiting" && cover.kind !== "loading"));
    if (isSettled) hints.classList.add("vw-settled");
    below.style.minHeight = isSettled ? "" : `${below.offsetHeight}px`;
  });
}

/** @param {Pane[]} panes @param {State} state */
function showPicture(panes, { id, byId, picture }) {
  const name = byId.get(id || "")?.name || "";
  for (const { number, stage } of panes)
    stage.replaceChildren(...(picture ? layers(picture, number === 1, name) : []));
}

/**
 * @param {Picture} picture
 * @param {boolean} isFirst the first pane shows the image in its colours and no map
 * @param {string} name
 */
function layers({ image, width, height, truth }, isFirst, name) {
  const base = { class: "vw-base", alt: isFirst ? name : "", draggable: "false", src: image };
  /** @type {Element[]} */
  const shown = [make("img", { ...base, style: isFirst ? "" : "filter: grayscale(1)" })];
  if (!isFirst) shown.push(make("img", { class: "vw-over", alt: "", draggable: "false", hidden: true }));
  if (truth.lines.length) {
    const path = polygon(truth.lines);
    const svg = drawing(width, height, ["vw-halo", path], ["vw-line", path]);
    svg.classList.add("vw-truthline");
    shown.push(svg);
  }
  return [...shown, make("div", { class: "vw-boxes" })];
}

/** @param {Pane[]} panes @param {State} state */
function showMaps(panes, { result, values }) {
  const kind = values === "raw" ? "raw_map" : "map";
  const maps = result && [result.patchcore[kind], result.exdd[kind], result.difference];
  panes.slice(1).forEach(({ stage }, at) => {
    const over = /** @type {HTMLImageElement | null} */ (stage.querySelector(".vw-over"));
    if (!over) return;
    over.hidden = !maps;
    if (maps) over.src = maps[at];
  });
}

/** @param {Pane[]} panes @param {State} state */
function showBox(panes, { box, picture }) {
  for (const { stage } of panes) {
    const holder = stage.querySelector(".vw-boxes");
    holder?.replaceChildren();
    if (!box || !picture || !holder) continue;
    const [x0, y0, x1, y1] = box;
    const path = `M${x0} ${y0}H${x1}V${y1}H${x0}Z`;
    const svg = drawing(picture.width, picture.height, ["vw-boxhalo", path], ["vw-box", path]);
    svg.style.cssText = "width: 100%; height: 100%; position: absolute";
    holder.replaceChildren(svg);
  }
}

/**
 * Show over the panes a wait, an error, or what to do; or nothing.
 * @param {Pane[]} panes
 * @param {State} state
 */
function showCover(panes, { cover, links, coming }) {
  panes.forEach(({ view, number }) => {
    view.querySelector(".vw-cover")?.remove();
    const words = cover && coverOf(cover, number, coming ? "" : links.banks);
    const isWaiting = cover?.kind === "waiting" || cover?.kind === "loading";
    const name = `vw-cover ${isWaiting ? "vw-waiting" : ""}`;
    if (words) view.append(make("div", { class: name }, words));
  });
}

/**
 * @param {import("./state.js").Cover} cover
 * @param {number} number of the pane
 * @param {string} banks where one is built; "" while one is
 */
function coverOf(cover, number, banks) {
  if (cover.kind === "failed") {
    const at = number - 1 - cover.first;
    if (at < 0) return null;
    return at === 0 ? cover.words : quiet("Not scored");
  }
  if (cover.kind === "loading") return number === 1 ? "Opening the image…" : " ";
  if (number === 1) return null;
  if (cover.kind === "waiting") return "Scoring…";
  if (number > 2) return quiet("Appears once a bank version is built.");
  if (!banks) return make("span", {}, withLinks(COMING));
  return [
    make("span", {}, "No bank version yet: nothing to score with."),
    make("a", { class: "main-button", href: banks }, "Build one in Banks"),
  ];
}
