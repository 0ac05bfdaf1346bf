// One stored measurement as people read it: tables with intervals, curves, and a threshold that can be
// dragged. The Evaluate page shows it, and so does the report that is handed on. Knows no server: `data`
// holds everything but pictures. Plotly must be on the window already.

import { make } from "../shared/dom.js";
import { counted } from "../shared/words.js";
import { curves } from "./curves.js";
import { foundCard } from "./found_by_type.js";
import { regionsCard } from "./regions.js";
import { sweepCard } from "./sweep.js";
import { methodsCard } from "./table_one.js";
import { thresholdCard } from "./threshold.js";

/**
 * Where pictures are: `picture` gives the address of a small one, or ""; `link` that of the image in Inspect.
 * @typedef {object} Addresses
 * @property {(id: string) => string} picture
 * @property {(id: string, method: string) => string} [link]
 * @property {(method: string) => boolean} [isOwned] whether the method judges by a bank version that is there
 * @property {(method: string, value: number) => unknown} [use] a threshold for the version of the method
 */

/**
 * @param {HTMLElement} place
 * @param {import("./figures.js").Measurement} data
 * @param {Addresses} addresses
 */
export function show(place, data, addresses) {
  const { result } = data;
  /** @param {string} words */
  const note = (words) => make("p", { class: "ms-note" }, words);
  const notes = (result.notes || []).map(note);
  if (data.kind === "sweep") {
    const table = sweepCard(data);
    const all = result.counts.length * result.seeds;
    const words =
      `Not finished: ${data.cells} of ${counted(all, "measurement")} done. Resume the job in Jobs above; it ` +
      "continues where it stopped.";
    place.replaceChildren(...notes, result.complete ? "" : note(words), table.node);
    table.show();
    return;
  }
  const lines = curves(data);
  const threshold = thresholdCard(data, addresses, lines.mark);
  const two = make("div", { class: "ms-two" }, ...lines.nodes);
  place.replaceChildren(...notes, methodsCard(data), foundCard(data), regionsCard(data), threshold.node, two);
  lines.draw();
  threshold.show();
}
