// What the region editor asks of the server: an image, a mask by brightness or from a file, Save and Remove.
// Knows the store and the drawing; shows nothing but sentences.

import { make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { blank, loaded } from "../shared/pictures.js";
import { latest, sentence } from "../shared/server.js";
import { brushesFor } from "./words.js";

/**
 * @typedef {object} Region
 * @property {import("./state.js").RegionStore} store
 * @property {import("./state.js").Call} call
 * @property {import("./drawing.js").Drawing} drawing
 * @property {ReturnType<typeof import("./parts.js").voiceIn>} voice
 * @property {(file: File) => Promise<{ path: string }>} upload
 * @property {() => void} changed tells the page that the data set is in another state
 */

/**
 * A function that begins anew with the active data set, at one of its images.
 * @param {Region} region
 * @param {(size: [width: number, height: number], layer: HTMLImageElement) => void} show
 */
export function opener({ store, call, voice }, show) {
  return latest(async (/** @type {number} */ index) => {
    const { dataset, brush } = store.get();
    try {
      /** @type {import("./state.js").Look} */
      const picture = await call("look", { dataset, index });
      const layer = await loaded(picture.layer || blank().toDataURL());
      await loaded(picture.picture);
      if (dataset !== store.get().dataset) return;
      const { largest, first } = brushesFor(picture.size);
      store.patch({
        picture,
        base: picture.base,
        region: Boolean(picture.layer),
        proposal: null,
        largestBrush: largest,
        brush: Math.min(largest, brush || first),
      });
      show(picture.shown, layer);
    } catch (error) {
      voice.say(sentence(error));
    }
  });
}

/**
 * A function that shows another image under the same region, to see whether it fits all.
 * @param {Region} region
 */
export const stepper = ({ store, call, voice }) =>
  voice.attempt(async (/** @type {number} */ by) => {
    const { dataset, picture: before } = store.get();
    const picture = await call("look", { dataset, index: (before?.index ?? 0) + by });
    await loaded(picture.picture);
    if (dataset === store.get().dataset) store.patch({ picture });
  });

/**
 * A function that looks for what is brighter than a grey value in most normal images.
 * @param {Region} region
 */
export const proposer = ({ store, call, voice }) =>
  latest(async (/** @type {number} */ threshold) => {
    const { dataset, picture, proposal } = store.get();
    if (!proposal) store.patch({ proposal: { layer: null, base: "", share: 0 } });
    try {
      const answer = await call("propose", { dataset, threshold, shown: picture?.shown });
      const layer = await loaded(answer.layer);
      const now = store.get();
      if (now.proposal && dataset === now.dataset) store.patch({ proposal: { ...answer, layer } });
    } catch (error) {
      store.patch({ proposal: null });
      voice.say(sentence(error));
    }
  });

/**
 * A function that takes a mask file.
 * @param {Region} region
 */
export const taker = ({ store, call, drawing, voice, upload }) =>
  voice.attempt(async (/** @type {File} */ file) => {
    const { path } = await upload(file);
    const { dataset, picture } = store.get();
    const answer = await call("take", { dataset, path, name: file.name, shown: picture?.shown });
    const layer = await loaded(answer.layer);
    if (dataset === store.get().dataset) drawing.give(layer, answer.base);
  });

/**
 * A function that saves or removes the region in somebody's name, and offers the way back.
 * @param {Region} region
 */
export function changer({ store, call, drawing, voice, changed }) {
  const { say, attempt } = voice;
  /** @param {"save" | "remove"} action @param {string} who */
  return async (action, who) => {
    if (!who) {
      say('Enter your name in "By": it is stored with the change.', "info");
      return;
    }
    store.patch({ busy: action });
    try {
      const { dataset, base } = store.get();
      const mask = action === "save" ? { layer: drawing.editor.toPng(), base } : {};
      const made = await call(action, { dataset, who, ...mask });
      const takeBack = attempt(async () => {
        const { said } = await call("undo", { dataset, state: made.state, who });
        drawing.settle();
        say(said, "done");
        changed();
      });
      drawing.settle();
      const link = make("a", { href: "./banks" }, "Rebuild in Banks");
      const undo = plain("Undo", takeBack, { class: "plain-button small" });
      say([made.said, " ", link, " ", undo], "done");
      changed();
    } catch (error) {
      say(sentence(error));
    }
    store.patch({ busy: "" });
  };
}
