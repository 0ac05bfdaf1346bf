// Asks the server for the queue, one candidate, its measures and the history, and keeps the answers in the
// store. Knows no element: which cards can be seen it is told.

import { latest } from "../shared/server.js";
import { createAhead } from "./ahead.js";
import { queueAsked } from "./state.js";
import { BY_TIME, firstFree, folded, following, inOrder, isElsewhere, placeOf } from "./words.js";

/** @typedef {import("../shared/store.js").Store<import("./state.js").State>} CurateStore */
/** @typedef {(name: string, argument?: object) => Promise<any>} Call */

/**
 * @typedef {object} Desk
 * @property {(limit?: number) => Promise<void>} refresh the queue; with a limit in the order of its measures now, else
 *   in the order in which it is seen
 * @property {(id: string, onward?: boolean) => Promise<void>} show a candidate, at once where its record is there;
 *   `onward`: nobody chose this one, so where somebody else has it open, the next one is shown instead
 * @property {() => Promise<void>} showFirst the first one that is free, or none
 * @property {() => void} showNone
 * @property {() => Promise<void>} readPast the history
 * @property {() => Promise<void>} measure until the measures hold for the bank as it is
 * @property {() => Promise<void>} settle what has changed by a decision
 */

/**
 * @param {CurateStore} store
 * @param {Call} call
 * @param {() => string[]} seen ids of the cards that can be seen
 * @returns {Desk}
 */
export function createDesk(store, call, seen) {
  const refresh = latest(async (/** @type {number | undefined} */ limit = undefined) => {
    const answer = await call("queue", queueAsked(store.get(), limit));
    takeQueue(store, answer, desk.show, limit !== undefined);
  });
  const ahead = createAhead(call);
  const open = latest(async (/** @type {string} */ id, /** @type {boolean} */ onward) => {
    if (await showCandidate(store, call, id, onward, show)) measure().catch(() => {});
  });
  /** @type {Desk["show"]} */
  const show = (id, onward = false) => {
    const { items, at } = store.get();
    if (!onward && at && at !== id) store.patch({ steered: true });
    const record = ahead.take(items, id);
    store.patch(shownAnew(store.get(), id, record));
    ahead.fill(items, id);
    return open(id, onward);
  };
  const showNone = () => {
    const { held, who } = store.get();
    if (held) call("leave", { id: held, who }).catch(() => {});
    store.patch({ at: "", shown: null, measured: {}, held: "" });
  };
  const showFirst = async () => {
    const { items, who } = store.get();
    if (items.length) await show(firstFree(items, who).id, true);
    else showNone();
  };
  const readPast = latest(async () => {
    const { lines, total } = await call("history", { limit: store.get().lines });
    store.patch({ past: lines, pastTotal: total });
  });
  const measure = measurer(store, call, seen, refresh);
  const settle = async () => {
    await refresh();
    await readPast();
    measure().catch(() => {});
  };
  const desk = { refresh, show, showFirst, showNone, readPast, measure, settle };
  return desk;
}

/**
 * What changes where a candidate is shown. Reasons, tool and measures belong to one candidate: showing it again, as
 * after a change by somebody else, leaves them.
 * @param {Readonly<import("./state.js").State>} state
 * @param {string} id
 * @param {import("./words.js").Candidate | null} record of it, where it is there already
 * @returns {Partial<import("./state.js").State>}
 */
const shownAnew = ({ at, shown }, id, record) => ({
  at: id,
  ...((at !== id || (record && record.status !== "pending")) && { asking: false, tool: "" }),
  ...(record && { shown: record, ...(shown?.id !== id && { measured: {} }) }),
});

/**
 * Take the queue's answer, and show the candidate anew where somebody else has changed it.
 * @param {CurateStore} store
 * @param {import("./words.js").Queue} answer
 * @param {Desk["show"]} show
 * @param {boolean} [asked] whether somebody asked for the order of the measures
 */
export function takeQueue(store, answer, show, asked = true) {
  const { status, sending, counts: own, total, sort, order } = store.get();
  // The answer may be from before the last decision.
  const isOpen = status === "pending";
  const left = isOpen ? answer.items.filter(({ id }) => !sending.has(id)) : answer.items;
  const isPinned = !asked && !BY_TIME.includes(sort);
  const known = inOrder(left, isPinned ? order : []);
  const items = folded(known.items, store.get());
  store.patch({
    ...{ ...answer, items, hidden: left.length - items.length },
    ...{ order: known.order, reordered: known.isOther },
    ...(sending.size ? { counts: own, total } : {}),
  });
  const { shown, at, deciding, tool, counts, who } = store.get();
  if (!shown || shown.id !== at || deciding || tool) return;
  const item = items.find(({ id }) => id === shown.id);
  const isOther = item
    ? item.status !== shown.status || (shown.holder && !isElsewhere(item, who))
    : counts[shown.status] !== undefined && shown.status === status;
  if (isOther) show(shown.id);
}

/**
 * Whether the candidate is shown now.
 * @param {CurateStore} store
 * @param {Call} call
 * @param {string} id
 * @param {boolean} onward
 * @param {Desk["show"]} show
 */
async function showCandidate(store, call, id, onward, show) {
  const { held, who } = store.get();
  const before = held && held !== id ? held : "";
  /** @type {import("./words.js").Candidate} */
  const record = await call("candidate", { id, who, before });
  store.patch({ held: who && record.status === "pending" && !record.holder ? id : "" });
  const { at, items, asking } = store.get();
  if (at !== id) return false;
  // Who has begun to reject it goes on; where somebody else has it open, the answer to the decision says so.
  if (asking) record.holder = "";
  const place = placeOf(items, id);
  const { holder } = record;
  if (place >= 0) store.patch({ items: items.map((item, i) => (i === place ? { ...item, holder } : item)) });
  const free = onward && holder && following(store.get().items, id, who);
  if (free) {
    // Not awaited: it starts when this request has ended.
    show(free.id, true);
    return false;
  }
  if (JSON.stringify(store.get().shown) !== JSON.stringify(record)) {
    store.patch(shownAnew(store.get(), id, record));
  }
  return true;
}

/**
 * A function that asks for measures again and again until they hold for the bank as it is.
 * @param {CurateStore} store
 * @param {Call} call
 * @param {() => string[]} seen
 * @param {Desk["refresh"]} refresh
 */
function measurer(store, call, seen, refresh) {
  let timer = 0;
  const measure = latest(async () => {
    clearTimeout(timer);
    const { shown } = store.get();
    if (!shown) return;
    const have = store.get().measured.quality?.stamp || "";
    const answer = await call("measures", { id: shown.id, screen: seen(), have });
    const { items, left, measured, shown: now } = store.get();
    const isNow = now?.id === shown.id;
    const { late, problem, known, screen } = answer;
    store.patch({
      items: items.map((item) => (item.id in screen ? { ...item, effect: screen[item.id] } : item)),
      left: answer.left,
    });
    if (isNow && (known || late !== measured.late || problem !== measured.problem)) {
      store.patch({ measured: { late, problem, quality: known || measured.quality } });
    }
    if (answer.left) timer = window.setTimeout(() => measure().catch(() => {}), 700);
    else if (left && !store.get().deciding) {
      // Once somebody has chosen or decided on one, the order stays as they see it.
      const { times, steered } = store.get();
      await refresh(times.length || steered ? undefined : queueAsked(store.get()).limit);
    }
  });
  return measure;
}
