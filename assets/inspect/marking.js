// Marks an image as a missed defect or a false alarm, or gives its defect an outline, and takes that back.
// Asks the server and changes the store; how a person draws is drawing_pane.js' and marker.js'.

import { find } from "../shared/dom.js";
import { loaded } from "../shared/pictures.js";
import { WHOLE } from "./geometry.js";
import { askName } from "./marks.js";
import { leaveMarking, resultOf, select, showResult, takeKnown } from "./opening.js";
import { choosePeak } from "./point.js";
import { scoreAgain } from "./scoring.js";
import { CALLED, COMING, NO_BANK } from "./words.js";
import { knownName } from "../shared/who.js";

/** @typedef {import("./state.js").Inspect} Inspect */
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Undoable} Undoable */
/** @typedef {import("./marker.js").Kept} Kept */

const SCORING = "One moment: this image is still being scored.";

/**
 * What is known of the image that is open, once it is scored: a key counts that was pressed before.
 * @param {Inspect} inspect
 */
function scored({ store, toast }) {
  if (!store.get().result) toast(SCORING);
  return resultOf(store);
}

/**
 * The size of the picture that is drawn on.
 * @param {HTMLElement} viewer
 * @returns {[width: number, height: number]}
 */
export function shownSize(viewer) {
  const { naturalWidth, naturalHeight } = find(viewer, ".vw-base", HTMLImageElement);
  return [naturalWidth, naturalHeight];
}

/**
 * Ask for a region as the marker draws it.
 * @param {Inspect} inspect
 * @param {"alarm" | "proposal" | "truth"} name
 * @param {string | null} id
 * @returns {Promise<{ words: string, layer: HTMLImageElement | null }>}
 */
async function askRegion({ viewer, call }, name, id) {
  const [width, height] = shownSize(viewer);
  const { words, layer } = await call(name, { id, width, height });
  return { words, layer: layer ? await loaded(layer) : null };
}

/**
 * Begin to mark the image that is open.
 * @param {Inspect} inspect
 * @param {"missed" | "false_alarm"} action
 */
export const startMark = (inspect, action) =>
  inspect.attempt(async () => {
    const { store, say } = inspect;
    const { picture, id, bank, coming, marking } = store.get();
    if (!picture || marking) return;
    if (!bank) return say(coming ? COMING : NO_BANK, "info");
    const result = await scored(inspect);
    if (!result) return;
    if (result.why_not) return say(result.why_not, "info");
    if (result.marks.some((mark) => mark.action === action)) return say(already(action), "info");
    const isAlarm = action === "false_alarm";
    const { words, layer } = isAlarm ? await askRegion(inspect, "alarm", id) : { words: "", layer: null };
    begin(store, id, {
      ...{ action, layer, proposed: false },
      words: layer ? `${words} goes into the negative bank. Draw to change that.` : words,
      warning: result.test ? "A test image: its part will be left out of evaluation from then on." : "",
    });
  })();

/** @param {"missed" | "false_alarm"} action */
const already = (action) =>
  `This image is marked as ${CALLED[action]} already: undo that first (U), then mark everything at once.`;

/**
 * Begin to outline a defect that has no mask in its data set.
 * @param {Inspect} inspect
 * @param {boolean} proposed begin with the region above the threshold, for a person to accept
 */
export const startOutline = (inspect, proposed) =>
  inspect.attempt(async () => {
    const { store } = inspect;
    const { picture, id, marking } = store.get();
    if (!picture?.outline.wanted || marking) return;
    if (proposed && !(await scored(inspect))) return;
    const { words, layer } = proposed ? await askRegion(inspect, "proposal", id) : { words: "", layer: null };
    const hint = `${words}: save it as the mask of the defect, or draw and erase to correct it.`;
    begin(store, id, { action: "outline", layer, proposed, words: proposed ? hint : "", warning: "" });
  })();

/**
 * Begin to draw, unless another image was opened meanwhile.
 * @param {import("./state.js").InspectStore} store
 * @param {string | null} id
 * @param {import("./state.js").Marking} marking
 */
function begin(store, id, marking) {
  if (store.get().id === id && !store.get().marking) store.patch({ marking, zoom: WHOLE });
}

/**
 * Begin with the outline that the data set has of the defect.
 * @param {Inspect} inspect
 */
export const takeTruth = (inspect) =>
  inspect.attempt(async () => {
    const { store } = inspect;
    const { id, marking } = store.get();
    const { layer } = await askRegion(inspect, "truth", id);
    if (marking && store.get().marking === marking)
      store.patch({ marking: { ...marking, layer, isTrue: true } });
  })();

/**
 * Keep what was drawn.
 * @param {Inspect} inspect
 * @param {Kept} kept
 */
export const keepMark = (inspect, kept) =>
  inspect.attempt(async () => {
    const { store, call, toast } = inspect;
    const { id, marking } = store.get();
    if (id === null) return;
    const leave = () => {
      if (store.get().id === id) leaveMarking(store); // else another image may be drawn on by now
    };
    if (kept.action === "outline") {
      const answer = await call("outline", { id, proposed: marking?.proposed, ...kept });
      leave();
      showOutlined(inspect, id, answer, () => undoOutline(inspect, id));
      return;
    }
    const { images, rows } = store.get();
    const answer = await call("mark", { id, ...kept });
    // The bar shows the progress until the new heatmap arrives.
    await showMarked(inspect, id, answer, leave);
    const { decision } = answer.marks.at(-1);
    store.patch({ undoable: [...store.get().undoable, { id, decision }] });
    const undo = () => undoMark(inspect, { id, decision });
    toast(answer.said, undo);
    await scoreAgain(inspect, { images, rows, said: answer.said, undo });
  })();

/**
 * Show an image whose mark has changed the banks, and forget the results of all others: they are of the banks
 * before.
 * @param {Inspect} inspect
 * @param {string} id
 * @param {import("./state.js").Result & Pick<State, "was">} answer
 * @param {() => void} [then]
 */
async function showMarked(inspect, id, answer, then = () => {}) {
  const { store, call, results } = inspect;
  results.clear();
  try {
    takeKnown(store, await call("known", { list: store.get().list }));
  } finally {
    then();
  }
  if (store.get().id !== id) return;
  results.set(id, answer);
  showResult(inspect, answer, answer.was);
}

/**
 * Show an image with another mask.
 * @param {Inspect} inspect
 * @param {string} id
 * @param {{ picture: import("./state.js").Picture, said: string }} answer
 * @param {() => unknown} [undo]
 */
function showOutlined(inspect, id, { picture, said }, undo) {
  const { store, pictures, toast } = inspect;
  pictures.set(id, picture);
  if (store.get().id === id) {
    store.patch({ picture, pictured: id, zoom: WHOLE, box: null, cover: null });
    choosePeak(inspect);
  }
  toast(said, undo);
}

/**
 * Take an outline back.
 * @param {Inspect} inspect
 * @param {string} id
 * @returns {Promise<unknown>}
 */
export const undoOutline = (inspect, id) =>
  inspect.attempt(async () => {
    const who = knownName();
    if (!who) return askName(inspect.viewer, () => undoOutline(inspect, id));
    showOutlined(inspect, id, await inspect.call("undo_outline", { id, who }));
  })();

/**
 * Take a mark back: the one given, else the last one of the image that is open, else the last one made here.
 * @param {Inspect} inspect
 * @param {Undoable} [wanted]
 * @returns {Promise<unknown>}
 */
export const undoMark = (inspect, wanted) =>
  inspect.attempt(async () => {
    const { store, viewer, call, toast } = inspect;
    const { id: open, picture, undoable, bank } = store.get();
    const result = !wanted && open !== null && bank ? await scored(inspect) : null;
    if (store.get().id !== open) return;
    const own = result?.marks.at(-1);
    if (!wanted && !own && open !== null && picture?.outline.by?.last) return undoOutline(inspect, open);
    const undone = wanted || (own ? { id: open || "", decision: own.decision } : undoable.at(-1));
    if (!undone) return toast("There is no mark to undo.");
    const who = knownName();
    if (!who) return askName(viewer, () => undoMark(inspect, undone));
    const { id, decision } = undone;
    const { images, rows } = store.get();
    store.patch({ compared: null }); // what the mark changes is not said any more, with an Undo, once it is taken back
    const answer = await call("undo", { id, decision, who });
    const left = store.get().undoable.filter((one) => one.decision !== decision);
    store.patch({ undoable: left });
    if (id !== store.get().id && store.get().byId.has(id)) await select(inspect, id);
    await showMarked(inspect, id, answer);
    const said = `Undone. ${answer.said}`;
    toast(said);
    await scoreAgain(inspect, { images, rows, said });
  })();
