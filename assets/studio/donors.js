// Where masks come from besides the brush: real defects, mask files, and the mask on the screen as one
// to paint on. Knows the store and the server; shows nothing but sentences.

import { latest, newest, sentence } from "../shared/server.js";
import { maskSpec } from "./masks.js";

/** @typedef {import("./state.js").Studio} Studio */
/** @typedef {ReturnType<typeof maskSources>} MaskSources */

/** What asks the server for masks. @param {Studio} studio */
export function maskSources(studio) {
  const { store, call, attempt, upload } = studio;
  const loadDonors = donorsLoader(studio);
  const lent = newest();

  /** Borrow the mask of a real defect, "" for any. */
  const lend = attempt(async (/** @type {string} */ id) => {
    const lies = await lent(id ? call("piece", { id }) : Promise.resolve({ x: 0.5, y: 0.5 }));
    if (!lies) return;
    const { x, y } = lies;
    store.patch({ real: { image: id, x, y, angle: 0, scale: 1, flip: false } });
  });

  const takeFile = attempt(async (/** @type {File | undefined} */ file) => {
    if (!file) return;
    const { path } = await upload(file);
    const { source } = store.get();
    const kept = await call("keep_mask", { path, name: file.name, source });
    store.patch({ kind: "uploaded", uploaded: { file: kept.file, name: file.name } });
  });

  /** Make a drawn mask of the one on the screen, to go on with the brush; its finer pixels are kept. */
  const paintOnIt = attempt(async () => {
    const state = store.get();
    const { source, seed } = state;
    const asked = { source, mask: maskSpec(state), seed: Number(seed) || 0, keep: true };
    const { layer, file } = await call("mask", asked);
    store.patch({ kind: "drawn", vary: false, drawn: { layer, base: file } });
  });

  // Without a choice, borrow the mask of the first real defect.
  store.subscribe(["kind", "donors"], ({ kind, donors, real }) => {
    if (kind !== "real") return;
    if (donors === null) loadDonors();
    else if (real.image === null && donors.length) lend(donors[0].id);
  });
  return { loadDonors, lend, takeFile, paintOnIt };
}

/** A function that asks for the real defects unless they are there. @param {Studio} studio */
const donorsLoader = ({ store, call, say }) =>
  latest(async () => {
    const { donors, fromTest } = store.get();
    if (donors !== null) return;
    try {
      const answer = await call("donors", { from_test: fromTest });
      if (fromTest === store.get().fromTest) store.patch({ donors: answer.donors });
    } catch (error) {
      store.patch({ donors: [] });
      say(sentence(error));
    }
  });
