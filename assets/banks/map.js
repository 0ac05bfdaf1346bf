// The pane of the map: every row of both banks a dot, and the patch of the dot that the pointer is on.
// Knows what is chosen, not what else is shown of it.

import { find, make } from "../shared/dom.js";
import { plotly } from "../shared/plotly.js";
import { latest, sentence } from "../shared/server.js";
import { mapLayout, tracesOf } from "./figures.js";
import { lookOf } from "./look.js";
import { BANKS, imageOf, kindOf, nameOf } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */

const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d"]],
};

/** @param {Pane} pane */
export function showMap({ page, store, voice }) {
  /** A plot of Plotly's. @type {any} */
  const plot = find(page, ".lm-plot");
  const box = find(page, ".lm-hover");
  const type = hasWebgl() ? "scattergl" : "scatter";
  let isWired = false;

  const draw = latest(async () => {
    const Plotly = await plotly();
    const { map, bank, colour, chosen } = store.get();
    if (!map || !bank) return;
    const look = lookOf(page);
    const traces = tracesOf(map, colour, chosen && chosen.dot, look, type);
    await Plotly.react(plot, traces, mapLayout(map, bank.id, look), CONFIG);
    if (isWired) return;
    isWired = true;
    plot.on("plotly_hover", (/** @type {any} */ { points }) => hover(points[0]));
    plot.on("plotly_unhover", () => (box.hidden = true));
    plot.on("plotly_click", (/** @type {any} */ { points }) => {
      const dot = points[0].customdata;
      if (dot !== undefined) store.patch({ chosen: { dot } });
    });
  });

  /** @param {any} point of Plotly's */
  const hover = (point) => {
    const { map, bank } = store.get();
    if (point.customdata === undefined || !map || !bank) return;
    fillHover(box, map, bank.id, point.customdata);
    box.hidden = false;
    placeHover(box, find(page, ".lm-frame"), point);
  };

  store.subscribe(["map"], () => (box.hidden = true));
  store.subscribe(["map", "chosen", "colour", "theme"], () =>
    draw().catch((error) => voice.say(sentence(error))),
  );
}

function hasWebgl() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl"));
  } catch {
    return false;
  }
}

/**
 * @param {HTMLElement} box
 * @param {import("./words.js").BankMap} map
 * @param {string} bank its id
 * @param {number} dot
 */
function fillHover(box, map, bank, dot) {
  const image = imageOf(map, dot);
  const asked = { bank, image: image.id, row: String(map.row[dot]), column: String(map.column[dot]) };
  box.replaceChildren(
    make("img", { src: `./patch?${new URLSearchParams(asked)}`, alt: "" }),
    make("span", {}, make("b", {}, BANKS[image.side])),
    make("span", {}, kindOf(image)),
    make("span", { class: "st-quiet" }, nameOf(image)),
  );
}

/**
 * Place the hover text next to the dot, inside the frame.
 * @param {HTMLElement} box
 * @param {HTMLElement} frame
 * @param {any} point of Plotly's
 */
function placeHover(box, frame, { x, y, xaxis, yaxis }) {
  const left = xaxis.l2p(xaxis.d2l(x)) + xaxis._offset;
  const top = yaxis.l2p(yaxis.d2l(y)) + yaxis._offset;
  box.style.left = `${left + 208 < frame.clientWidth ? left + 16 : left - 210}px`;
  box.style.top = `${Math.max(8, Math.min(top - 112, frame.clientHeight - 264))}px`;
}
