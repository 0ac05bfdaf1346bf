// Opens a list and an image of it: asks the server and puts its answers into the store, which the panes show.
// Opens both again when the bank has changed. Knows no element.

import { newest, sentence } from "../shared/server.js";
import { pin, tabDataset } from "../shared/tab.js";
import { WHOLE } from "./geometry.js";
import { ALL, datasetOf, FILTERS, withRows } from "./lists.js";
import { choosePeak } from "./point.js";
import { CLOSED, isBare, rearrange } from "./state.js";

/**
 * @typedef {import("./state.js").Inspect} Inspect
 * @typedef {import("./state.js").InspectStore} InspectStore
 * @typedef {import("./state.js").Bank} Bank
 * @typedef {import("./state.js").Result} Result
 *
 * The images of a list, and what is known of them, as pages/inspect/page.py answers.
 * @typedef {{ rows: Record<string, import("./words.js").Row>, seen: number, marked: string[] }} KnownRows
 * @typedef {object} OpenedList
 * @property {import("./state.js").Need | null} need
 * @property {{ banks: string }} links
 * @property {import("./state.js").List[]} lists
 * @property {string} list
 * @property {import("./words.js").Entry[]} images
 * @property {string[]} types
 * @property {import("./state.js").Scales} scales
 * @property {import("./state.js").Job | null} job
 * @property {string} note
 */

/** Milliseconds after which a wait is shown. */
const WAIT = 120;
/** And after which the image before is not shown any longer. */
const SLOW = 600;

/**
 * What the page's address names. A file that belongs to no data set is not named there, since its id is a path of the
 * server: the browser keeps it with the entry of its history, so that a reloaded page shows it again.
 * @param {"image" | "bank" | "filter" | "threshold"} name
 * @returns {string | null}
 */
export const addressed = (name) =>
  new URL(location.href).searchParams.get(name) || (name === "image" && history.state?.file) || null;

/** Stop drawing on the image. @param {InspectStore} store */
export function leaveMarking(store) {
  if (store.get().marking) store.patch({ marking: null, zoom: WHOLE });
}

// ---- a list

/** Of two lists that are asked for, the later one is shown, whichever is there first. */
const opened = newest();

/**
 * The bank follows the data set: this tab works from now on with that of a list.
 * @param {Inspect} inspect
 * @param {string} list its key
 * @returns {object} what the next question says of the version
 */
function follow({ store }, list) {
  const dataset = datasetOf(list);
  if (!dataset || dataset === tabDataset()) return {};
  pin(dataset);
  store.patch({ wantedBank: null });
  return { bank: null };
}

/** @param {Inspect} inspect @param {string} list */
export const openList = (inspect, list) =>
  inspect.attempt(async () =>
    enter(inspect, await opened(inspect.call("open_list", { list, ...follow(inspect, list) }))),
  )();

/** Open the list of the image that the page's address names. @param {Inspect} inspect */
export const openAddress = (inspect) =>
  inspect.attempt(async () => {
    const image = addressed("image");
    const answer = await opened(inspect.call("open_list", { image }));
    const isOther = answer && image && !addressed("bank") && "bank" in follow(inspect, answer.list);
    await enter(inspect, isOther ? await opened(inspect.call("open_list", { image, bank: null })) : answer);
  })();

/** Look with the active version again. @param {Inspect} inspect */
export const leaveOtherBank = (inspect) =>
  inspect.attempt(async () => {
    const { list, id } = inspect.store.get();
    inspect.store.patch({ wantedBank: null });
    inspect.results.clear();
    inspect.pictures.clear();
    await enter(inspect, await opened(inspect.call("open_list", { list, image: id, bank: null })));
  })();

/**
 * Take a list that the server opened, and open one of its images: the one wanted, the one that the page's
 * address names, else the first defect.
 * @param {Inspect} inspect
 * @param {(OpenedList & KnownRows & Bank) | null} answer null for none
 * @param {string} [wanted]
 */
export async function enter(inspect, answer, wanted) {
  if (!answer) return;
  const { say, store } = inspect;
  const {
    bank,
    active,
    stamp,
    coming,
    threshold,
    types,
    links,
    need,
    lists,
    list,
    images,
    scales,
    seen,
    job,
  } = answer;
  say(answer.note || "", "info");
  store.patch({ need, lists });
  if (isBare(store.get())) return;
  const filter = store.get().list ? "" : addressed("filter");
  rearrange(store, {
    ...CLOSED,
    ...(filter && FILTERS.some(({ key }) => key === filter) ? { filter } : {}),
    ...{ bank, active, stamp, coming, threshold, types, links, list, images, scales, seen },
    marked: new Set(answer.marked),
    byId: new Map(images.map((image) => [image.id, image])),
    rows: new Map(Object.entries(answer.rows)),
    wantedBank: bank && bank !== active ? store.get().wantedBank : null,
    ...(job ? { job } : {}),
  });
  const asked = wanted || addressed("image") || "";
  const first = images.find(({ label }) => label === "defect") || images[0];
  if (store.get().byId.has(asked)) await select(inspect, asked);
  else if (first) await select(inspect, first.id);
}

/**
 * Take new scores and marks of the same images after a bank has changed.
 * @param {InspectStore} store
 * @param {KnownRows & Bank} answer
 */
export function takeKnown(store, { stamp, coming, active, threshold, seen, rows, marked }) {
  const known = { rows: new Map(Object.entries(rows)), marked: new Set(marked) };
  rearrange(store, { stamp, coming, active, threshold, seen, ...known });
}

/**
 * Whether the banks of the version that is looked with have changed, perhaps in another tab: then all that is
 * shown is asked for anew. Another active version is only told of: what is looked at stays. While somebody draws,
 * nothing is asked for anew, which would throw the drawing away; the next look finds the change again.
 * @param {Inspect} inspect
 * @param {Bank} answer
 */
export async function checkBank(inspect, { bank, active, stamp }) {
  const { store, call, results, pictures } = inspect;
  const now = store.get();
  if (!now.list) return false;
  if (active !== now.active) store.patch({ active });
  if (stamp === now.stamp || now.marking) return false;
  results.clear();
  if (bank !== now.bank) {
    pictures.clear(); // their notes depend on the bank version
    await openList(inspect, now.list);
  } else {
    const known = await call("known", { list: now.list });
    if (store.get().marking) return false;
    takeKnown(store, known);
    if (now.id !== null) await select(inspect, now.id);
  }
  return true;
}

// ---- an image

/** @param {Inspect} inspect @param {string} id */
const fetchPicture = ({ pictures, call }, id) => pictures.get(id, () => call("picture", { id }));

/** @param {Inspect} inspect @param {string} id */
const fetchResult = ({ results, call }, id) => results.get(id, () => call("inspect", { id }));

/**
 * Open an image of the list: first its picture, then its scores.
 * @param {Inspect} inspect
 * @param {string} id
 */
export async function select(inspect, id) {
  const { store } = inspect;
  if (!store.get().byId.has(id)) return;
  leaveMarking(store);
  store.patch({ id, result: null, was: null, match: null });
  showAddress(id, store.get());
  const isMine = () => store.get().id === id;
  const opened = { pictured: id, zoom: WHOLE, point: null, box: null };
  let isPictured = false;
  const slow = setTimeout(() => {
    if (isMine() && !isPictured) store.patch({ picture: null, ...opened, cover: { kind: "loading" } });
  }, SLOW);
  try {
    const picture = await fetchPicture(inspect, id).finally(() => clearTimeout(slow));
    if (!isMine()) return;
    isPictured = true;
    store.patch({ picture, ...opened, cover: null });
    if (store.get().bank) await score(inspect, id, isMine);
    else store.patch({ cover: { kind: "no bank" } });
  } catch (error) {
    if (!isMine()) return;
    if (!isPictured) store.patch({ picture: null, ...opened });
    store.patch({ cover: { kind: "failed", words: sentence(error), first: isPictured ? 1 : 0 } });
  }
}

/**
 * Let the address name what is looked at, so that a reloaded page shows the same.
 * @param {string} id
 * @param {import("./state.js").State} state
 */
export function showAddress(id, { wantedBank, filter }) {
  const address = new URL(location.href);
  const file = id.startsWith("file:") ? id : null;
  const image = file ? null : id;
  const named = { image, bank: wantedBank, filter: filter === ALL ? null : filter, threshold: null };
  for (const [name, value] of Object.entries(named)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.replaceState({ ...history.state, file }, "", address);
}

/**
 * Show the scores of the image that is open, and have the next one ready.
 * @param {Inspect} inspect
 * @param {string} id
 * @param {() => boolean} isMine whether the image is still open
 */
async function score(inspect, id, isMine) {
  const { store } = inspect;
  const slow = setTimeout(() => {
    if (isMine() && !store.get().result) store.patch({ cover: { kind: "waiting" } });
  }, WAIT);
  const result = await fetchResult(inspect, id).finally(() => clearTimeout(slow));
  // A cached result may be from an earlier active version.
  if (!isMine() || (await checkBank(inspect, { ...result, active: store.get().active }))) return;
  showResult(inspect, result);
  const { order, job } = store.get();
  const next = order[order.indexOf(id) + 1];
  if (!next || job) return;
  const ready = fetchPicture(inspect, next).then(() => fetchResult(inspect, next));
  ready.catch(() => {}); // a failure is shown when the image is opened
}

/**
 * The result of the image that is open, once it is there; null where that failed or another image was opened.
 * @param {InspectStore} store
 * @returns {Promise<Result | null>}
 */
export function resultOf(store) {
  const { id } = store.get();
  return new Promise((resolve) => {
    const look = (/** @type {import("./state.js").State} */ state) => {
      if (!state.result && state.id === id && state.cover?.kind !== "failed") return;
      stop();
      resolve(state.id === id ? state.result : null);
    };
    const stop = store.subscribe(["result", "id", "cover"], look);
    look(store.get());
  });
}

/**
 * @param {Inspect} inspect
 * @param {Result} result
 * @param {import("./state.js").State["was"]} [was]
 */
export function showResult(inspect, result, was = null) {
  const { store } = inspect;
  store.patch({ result, was, cover: null, ...withRows(store.get(), result) });
  document.dispatchEvent(new CustomEvent("exdd-done")); // what is next may be another thing now
  choosePeak(inspect);
}

/**
 * Open the image before or after the one that is open.
 * @param {Inspect} inspect
 * @param {1 | -1} by
 */
export function step(inspect, by) {
  const { order, id } = inspect.store.get();
  const place = id === null ? -1 : order.indexOf(id);
  const next = place < 0 ? order[0] : order[place + by];
  if (next) select(inspect, next);
}
