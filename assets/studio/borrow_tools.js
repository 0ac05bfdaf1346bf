// The tools of a borrowed mask: the strip of real defects, sliders, Flip, and the test split. Knows the
// store.

import { make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { sliderRow } from "./sliders.js";

/**
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {import("./donors.js").MaskSources} MaskSources
 */

/** @param {Studio} studio @param {MaskSources} sources */
export function borrowTools({ store }, sources) {
  const flip = make("input", { type: "checkbox", class: "st-flip" });
  flip.addEventListener("change", () => store.patch({ real: { ...store.get().real, flip: flip.checked } }));
  const test = make("input", { type: "checkbox", class: "st-fromtest" });
  test.addEventListener("change", () => {
    const { real } = store.get();
    const fromTest = test.checked;
    store.patch({ fromTest, donors: null, real: fromTest ? real : { ...real, image: null } });
  });
  const title = "Recorded with every candidate: masks of the test split make figures on that split too good";
  const row = make(
    "div",
    { class: "st-row" },
    sliderRow(store),
    make("label", { class: "st-check" }, flip, "Flip"),
    make("label", { class: "st-check", title }, test, "Test split masks too"),
    plain("Paint on it", () => sources.paintOnIt(), { title: "Continue with brush and eraser" }),
  );
  return [donorStrip(store.get(), sources.lend), row];
}

/**
 * @param {Readonly<import("./state.js").State>} state
 * @param {(id: string) => unknown} lend
 */
function donorStrip({ donors, real }, lend) {
  const strip = make("div", { class: "st-strip st-donors", role: "listbox", "aria-label": "Real defects" });
  if (donors === null) strip.append(make("span", { class: "st-quiet" }, "Loading real defects…"));
  else if (!donors.length) {
    const words = "No defect of the training split has a mask. Draw, generate or upload one.";
    strip.append(make("span", { class: "st-quiet" }, words));
  } else {
    const title = "Any of them, chosen by the seed";
    const any = { type: "button", role: "option", class: "st-tile st-any", title, onclick: () => lend("") };
    strip.append(
      make("button", { ...any, "aria-selected": String(real.image === "") }, "Any"),
      ...donors.map((donor) => tile(donor, donor.id === real.image, lend)),
    );
  }
  return strip;
}

/**
 * @param {import("./masks.js").Donor} donor
 * @param {boolean} selected
 * @param {(id: string) => unknown} lend
 */
function tile({ id, name, type, split }, selected, lend) {
  const isTest = split === "test";
  const title = `${name} · ${type}${isTest ? " · test split" : ""}`;
  const properties = { role: "option", class: "st-tile", "data-id": id, title };
  return make(
    "button",
    { type: "button", ...properties, "aria-selected": String(selected), onclick: () => lend(id) },
    make("img", { loading: "lazy", alt: "", src: `./defect?image=${encodeURIComponent(id)}` }),
    make("span", { class: "st-flag" }, isTest ? `test · ${type}` : type),
  );
}
