// Goes on from a candidate: its whole form, the same with another seed, or a cell's settings. Knows the
// store.

import { editing, isPlaceable, reusing } from "./candidate.js";
import { drawSeed } from "./parts.js";
import { openSource } from "./sources.js";
import { formOf } from "./state.js";

/**
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {import("./candidate.js").Candidate} Candidate
 */

/**
 * Load image, mask, prompt, settings and seed of a candidate.
 * @param {Studio} studio
 * @param {Candidate} record
 */
async function load(studio, record) {
  const { store, call } = studio;
  let drawn = null;
  if (!isPlaceable(record)) {
    const kept = await call("drawn", { id: record.id });
    drawn = { layer: kept.layer, base: kept.file };
  }
  await openSource(studio, record.source, editing(store.get(), record, drawn));
}

/** A function that edits from a candidate; the toast takes it back. @param {Studio} studio */
export const editor = (studio) =>
  studio.attempt(async (/** @type {Candidate} */ record) => {
    const { root, store, toast } = studio;
    const before = formOf(store.get());
    await load(studio, record);
    toast("Loaded its image, mask, prompt, settings and seed.", () =>
      openSource(studio, before.source, {
        ...before,
        ...(before.fromTest === store.get().fromTest ? {} : { donors: null }),
      }),
    );
    root.querySelector(".studio")?.scrollIntoView({ behavior: "smooth", block: "start" });
  });

/**
 * A function that paints a candidate again with another seed.
 * @param {Studio} studio
 * @param {import("./painting.js").Painter} painter
 */
export const reseeder = (studio, painter) =>
  studio.attempt(async (/** @type {Candidate} */ record) => {
    await load(studio, record);
    await painter.ended(); // its outcome does not matter here
    studio.store.patch({ seed: drawSeed(studio.root) });
    await painter.preview();
  });

/**
 * Take the settings of a comparison's cell; image and mask stay.
 * @param {Studio} studio
 * @param {Candidate} record
 */
export function reuse({ store, toast }, record) {
  const before = formOf(store.get());
  store.patch(reusing(store.get(), record));
  toast("Loaded the settings of this cell.", () => store.patch(before));
}
