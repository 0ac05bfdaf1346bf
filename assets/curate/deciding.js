// Decisions and taking them back. A decision counts here at once and shows the next candidate; it is sent behind
// that, one after another, in the order of the keys. Knows no element.

import { sentence } from "../shared/server.js";
import { decidedOn, following, openOne, placeOf } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/**
 * @typedef {object} Deciding
 * @property {(action: "accept" | "reject", given?: { reasons?: string[] }) => void} decide on the one that is
 *   shown
 * @property {() => Promise<unknown>} undoLast
 * @property {(line: { id: number | undefined, real: boolean }) => Promise<unknown>} undoOne
 * @property {(ids: string[]) => Promise<unknown>} takeBack
 * @property {InTurn} inTurn
 * @typedef {(doing: string, action: () => Promise<unknown>) => Promise<unknown>} InTurn `doing`: in words
 */

/** Candidates in the queue below which more of them are asked for while decisions are still being sent. */
const FEW = 24;

/**
 * @param {Pane} pane
 * @param {(begun: { run: string }) => Promise<any>} followed waits for what was begun in the background
 * @returns {Deciding}
 */
export function createDeciding(pane, followed) {
  const { store, call, voice, desk } = pane;
  const inTurn = queueOf(pane);
  // Show the decided candidate again, even where the filters would hide it.
  /** @param {string[]} ids */
  const back = async (ids) => {
    if (ids.length) await desk.show(ids[0]);
  };
  /** @param {() => Promise<any>} ask @param {boolean} [isBack] */
  const undo = (ask, isBack = true) =>
    inTurn("Undoing", async () => {
      const answer = await ask();
      voice.toast(answer.sentence);
      await desk.settle();
      if (isBack) await back(answer.ids);
    });
  /** @param {string[]} ids */
  const takeBack = (ids) =>
    undo(async () => {
      store.patch({ together: [] });
      return followed(await call("undo_all", { ids, who: store.get().who }));
    });
  return {
    inTurn,
    takeBack,
    undoLast: () => {
      const { together, who } = store.get();
      return together.length ? takeBack(together) : undo(() => call("undo_last", { who }));
    },
    undoOne: ({ id, real }) => undo(() => call("undo", { decision: id, who: store.get().who }), !real),
    decide: (action, given = {}) => decide(pane, inTurn, takeBack, action, given),
  };
}

/**
 * A function that begins an action when the one before it has ended, and says what went wrong.
 * @param {Pane} pane
 * @returns {InTurn}
 */
function queueOf({ store, voice }) {
  /** The end of the last one. @type {Promise<unknown>} */
  let sent = Promise.resolve();
  let waiting = 0;
  window.addEventListener("beforeunload", (event) => waiting && event.preventDefault()); // it would be lost
  return (doing, action) => {
    const slow = setTimeout(() => store.patch({ doing }), 400);
    waiting += 1;
    sent = sent.then(async () => {
      waiting -= 1;
      store.patch({ deciding: store.get().deciding + 1 });
      try {
        return await action();
      } catch (error) {
        voice.say(sentence(error));
      } finally {
        clearTimeout(slow);
        store.patch({ deciding: store.get().deciding - 1, doing: "" });
      }
    });
    return sent;
  };
}

/**
 * @param {Pane} pane
 * @param {InTurn} inTurn
 * @param {Deciding["takeBack"]} takeBack
 * @param {"accept" | "reject"} action
 * @param {{ reasons?: string[] }} given
 */
function decide(pane, inTurn, takeBack, action, given) {
  const { store, voice, desk } = pane;
  const { tool, who, items, status: filter, sending, counts, total } = store.get();
  const one = openOne(store.get());
  if (!one || tool) return;
  voice.say("");
  const { id } = one;
  const next = following(items, id, who);
  /** @type {import("./words.js").Status} */
  const status = action === "accept" ? "accepted" : "rejected";
  const isGone = filter === "pending";
  store.patch({
    asking: false,
    together: [],
    sending: new Set([...sending, id]),
    held: "", // the claim lasts until the decision is stored
    items: isGone
      ? items.filter((item) => item.id !== id)
      : items.map((item) => (item.id === id ? { ...item, status } : item)),
    counts: decidedOn(counts, status),
    total: isGone ? total - 1 : total,
    times: [...store.get().times, Date.now()],
  });
  if (next) voice.attempt(desk.show)(next.id, true);
  else desk.showNone();
  inTurn(action === "accept" ? "Accepting" : "Rejecting", () =>
    send(pane, action, { id, who, ...given }, takeBack),
  );
}

/**
 * Have a decision counted. What follows from it is asked for behind the last one that waits to be sent.
 * @param {Pane} pane
 * @param {"accept" | "reject"} action
 * @param {{ id: string, who: string, reasons?: string[] }} asked
 * @param {Deciding["takeBack"]} takeBack
 */
async function send({ store, call, voice, desk }, action, asked, takeBack) {
  const { id, who } = asked;
  try {
    const answer = await call(action, asked);
    voice.toast(answer.sentence, () => takeBack([id]));
  } catch (error) {
    store.patch({ stamp: "" }); // it does not count: the queue is asked for anew, once it can be
    throw error;
  } finally {
    const sending = new Set([...store.get().sending].filter((one) => one !== id));
    store.patch({ sending });
    call("leave", { id, who }).catch(() => {}); // the claim expires without this call
    const { items, total } = store.get();
    if (!sending.size || items.length < Math.min(FEW, total)) await desk.settle();
  }
  const now = store.get();
  if (!now.at && now.items.length && now.status === "pending") await desk.showFirst();
}

/** Show the candidate that lies `by` places further in the queue. @param {Pane} pane @param {number} by */
export function step({ store, voice, desk }, by) {
  const { items, at } = store.get();
  const next = items[placeOf(items, at) + by];
  if (next) voice.attempt(desk.show)(next.id);
}

/** Leave it pending and go on. @param {Pane} pane */
export function skip({ store, voice, desk }) {
  const { at, items, who } = store.get();
  const next = at && following(items, at, who);
  if (next) voice.attempt(desk.show)(next.id, true);
  else voice.toast("No other candidate here is waiting for a decision.");
}
