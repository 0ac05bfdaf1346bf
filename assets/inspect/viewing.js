// How the image is looked at: calibrated or raw values, opacity of the maps, outline of the truth, the bank
// version. Knows the tools above the panes; the browser remembers what is chosen (state.js).

import { find, make } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { leaveOtherBank, step } from "./opening.js";
import { all, press } from "./parts.js";

/** @typedef {import("./state.js").Inspect} Inspect */

/** @param {Inspect} inspect */
export function viewingPane(inspect) {
  const { viewer, store } = inspect;
  find(viewer, ".vw-prev").addEventListener("click", () => step(inspect, -1));
  find(viewer, ".vw-next").addEventListener("click", () => step(inspect, 1));
  for (const button of all(viewer, "[data-values]"))
    button.addEventListener("click", () =>
      store.patch({ values: button.dataset.values === "raw" ? "raw" : "calibrated" }),
    );
  const showValues = () => press(viewer, "values", store.get().values);
  store.subscribe(["values"], showValues);
  showValues();
  truthSwitch(inspect);
  opacitySlider(inspect);
  otherBankLine(inspect);
}

/** @param {Inspect} inspect */
function truthSwitch({ viewer, store }) {
  const box = find(viewer, ".vw-truth", HTMLInputElement);
  const show = () => {
    const { truth } = store.get();
    box.checked = truth;
    viewer.classList.toggle("vw-notruth", !truth);
  };
  box.addEventListener("change", () => store.patch({ truth: box.checked }));
  box.addEventListener("pointerup", () => setTimeout(() => box.blur()));
  store.subscribe(["truth"], show);
  show();
}

/** @param {Inspect} inspect */
function opacitySlider({ viewer, store }) {
  const slider = find(viewer, ".vw-opacity", HTMLInputElement);
  const show = () => {
    const { mapsOn, opacity } = store.get();
    const share = mapsOn ? opacity : 0;
    viewer.style.setProperty("--vw-opacity", String(share / 100));
    slider.value = String(share);
    find(viewer, ".vw-percent").textContent = `${share} %`;
  };
  slider.addEventListener("input", () => store.patch({ mapsOn: true, opacity: Number(slider.value) }));
  slider.addEventListener("pointerup", () => slider.blur()); // the arrow keys move between images again
  store.subscribe(["mapsOn", "opacity"], show);
  show();
}

/**
 * Turn the maps on or off; where they were made invisible, on means as they are usually shown.
 * @param {Inspect} inspect
 */
export function turnMaps({ store, terms }) {
  const { mapsOn, opacity } = store.get();
  store.patch({ mapsOn: !mapsOn, opacity: mapsOn || opacity ? opacity : terms.opacity });
}

/**
 * Looking with another version than the active one is said all the time, with the way back.
 * @param {Inspect} inspect
 */
function otherBankLine(inspect) {
  const { viewer, store } = inspect;
  const box = find(viewer, ".vw-other:not(.vw-blind)");
  store.subscribe(["bank", "active"], ({ bank, active, wantedBank }) => {
    box.hidden = !bank || bank === active;
    const other = wantedBank ? `, which is not the active one.` : `; ${active} was activated elsewhere.`;
    if (box.hidden) box.replaceChildren();
    else {
      const words = `Viewing with bank ${bank}${active ? other : "."}`;
      box.replaceChildren(
        make("span", { title: words }, words),
        (active && small(`Use ${active}`, () => leaveOtherBank(inspect))) || "",
      );
    }
  });
}
