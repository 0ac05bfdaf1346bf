// The pane of the histograms: distances of patches to both banks. Knows bins, not how they are found.

import { find, make } from "../shared/dom.js";
import { plotly } from "../shared/plotly.js";
import { latest, sentence } from "../shared/server.js";
import { histogramLayout, histogramLines } from "./figures.js";
import { lookOf } from "./look.js";
import { aboutDistances } from "./words.js";

/** @type {[side: import("./words.js").Side, title: string][]} */
const PLACES = [
  ["negative", "Distance N"],
  ["positive", "Distance P"],
];
const NO_BANK = "This version has no positive bank.";
// Of one part there is no other that a patch could be compared with.
const ONE_PART = "There are no defect rows of other parts to measure the distance to.";

/** @param {import("./state.js").Pane} pane */
export function showHistograms({ page, store, voice }) {
  const draw = latest(async () => {
    const Plotly = await plotly();
    const found = store.get().histograms;
    if (!found) return;
    find(page, ".lm-beyond").textContent = aboutDistances(found);
    const look = lookOf(page);
    for (const [side, title] of PLACES) {
      /** A plot of Plotly's, or a sentence. @type {any} */
      const place = find(page, `.lm-${side}`);
      const edges = found.edges[side];
      const lines = edges ? histogramLines(found, side, look) : [];
      if (!edges || !lines.length) {
        if (place.data) Plotly.purge(place);
        place.replaceChildren(make("div", { class: "empty" }, make("p", {}, edges ? ONE_PART : NO_BANK)));
        continue;
      }
      if (!place.data) place.replaceChildren();
      const limit = side === "negative" ? found.visible_from : 0;
      const layout = histogramLayout(edges, title, limit, look);
      await Plotly.react(place, lines, layout, { displayModeBar: false, responsive: true });
    }
  });
  store.subscribe(["histograms", "theme"], () => draw().catch((error) => voice.say(sentence(error))));
}
