// Lets a person draw on the first pane while the store says that the image is marked.
// Knows the marker and that pane; what is kept it hands on.

import { find } from "../shared/dom.js";
import { pixelAt } from "./geometry.js";
import { Marker } from "./marker.js";
import { keepMark, shownSize, takeTruth } from "./marking.js";
import { leaveMarking } from "./opening.js";
import { placeIn } from "./pointing.js";

/**
 * @param {import("./state.js").Inspect} inspect
 * @param {import("./panes.js").Pane} pane
 */
export function drawingPane(inspect, { view, stage }) {
  const { viewer, store } = inspect;
  const marker = new Marker(find(viewer, ".vw-markbar"), {
    keep: (kept) => keepMark(inspect, kept),
    leave: () => leaveMarking(store),
    truth: () => takeTruth(inspect),
  });
  store.subscribe(["marking"], ({ marking, picture, types, id, byId }) => {
    viewer.classList.toggle("vw-drawing", Boolean(marking));
    marker.end();
    if (!marking || !picture) return;
    find(viewer, ".vw-toast").hidden = true;
    marker.begin(marking, {
      ...{ view, stage, size: [picture.width, picture.height], shown: shownSize(viewer) },
      types: marking.action === "outline" ? [] : types,
      type: byId.get(id || "")?.type || "",
      hasTruth: picture.truth.lines.length > 0,
    });
  });
  view.addEventListener("pointerdown", (event) => {
    const { marking, picture } = store.get();
    const isOnCover = event.target instanceof Element && event.target.closest(".vw-cover");
    if (!marking || !picture || isOnCover || event.button !== 0) return;
    marker.press(event, (now) => {
      const { fit, zoom } = store.get();
      return fit ? pixelAt(placeIn(now, view), fit, zoom) : [0, 0];
    });
  });
  view.addEventListener("pointermove", (event) => {
    const { marking, fit, zoom } = store.get();
    if (marking && fit) marker.hover(placeIn(event, view), fit.scale * zoom.k);
  });
  view.addEventListener("pointerleave", () => (marker.cursor.hidden = true));
  return marker;
}
