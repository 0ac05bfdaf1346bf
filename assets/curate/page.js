// The Curate page: a queue of candidates, one of them large, the decision on it, and what was decided before.
// pages/curate/ answers its questions: every picture, count and sentence comes from there.

import { find, make } from "../shared/dom.js";
import { remember } from "../shared/memory.js";
import { caller } from "../shared/server.js";
import { createStore } from "../shared/store.js";
import { taken } from "../shared/tab.js";
import { voice } from "../shared/voice.js";
import { showAbout } from "./about.js";
import { showBlind } from "./blind.js";
import { showBulk } from "./bulk.js";
import { showCandidate } from "./candidate.js";
import { seenCards, showCards } from "./cards.js";
import { createDeciding, skip, step } from "./deciding.js";
import { createDesk, takeQueue } from "./desk.js";
import { showFilters } from "./filters.js";
import { listenToKeys } from "./keys.js";
import { showLikeness } from "./likeness.js";
import { empty } from "./parts.js";
import { showPast } from "./past.js";
import { narrower, showQueue } from "./queue.js";
import { showReasons } from "./reasons.js";
import { follower } from "./sheet.js";
import { changeView, filtering, initial, kept, PAGE, queueAsked, STORED } from "./state.js";
import { showTrimming } from "./trimming.js";
import { CurateView } from "./view.js";
import { changeWho, knowWho } from "./who.js";
import { MINUTE } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */

/**
 * Called by Gradio once the component stands.
 * @param {HTMLElement} element
 * @param {import("../shared/server.js").Server} server
 * @param {import("./state.js").Terms} terms
 */
export function start(element, server, terms) {
  const page = find(element, ".curate");
  const call = caller(server);
  const store = createStore(initial(terms));
  const desk = createDesk(store, call, () => seenCards(page));
  /** @type {Pane} */
  const pane = { page, store, call, voice: voice(element), terms, viewer: viewerOf(page, store), desk };
  store.subscribe(["status", "sort", "sifting", "view", "chosen"], (state) => remember(STORED, kept(state)));
  showPanes(pane);
  const fit = () => fitBody(find(page, ".cu-body"));
  window.addEventListener("resize", fit);
  new ResizeObserver(fit).observe(document.body);
  enterer(pane)().finally(() => find(page, ".cu-body").classList.add("cu-settled"));
}

/** @param {Pane} pane */
function showPanes(pane) {
  const { page, store, call } = pane;
  const followed = follower(page, call, pane.voice);
  const deciding = createDeciding(pane, followed);
  const narrow = narrower(pane);
  showCandidate(pane, deciding);
  showAbout(pane);
  showQueue(pane, narrow);
  showFilters(pane, narrow);
  showCards(pane, narrow);
  showBulk(pane, deciding, followed);
  showPast(pane, deciding);
  showLikeness(pane);
  showBlind(pane);
  const trimming = showTrimming(pane, deciding);
  const reasons = showReasons(pane, deciding);
  listenToKeys(pane, deciding, reasons, trimming);
  const ask = () => (store.get().asking ? store.patch({ asking: false }) : reasons.open());
  /** @type {[name: string, action: () => unknown][]} */
  const buttons = [
    ["accept", () => deciding.decide("accept")],
    ["reject", ask],
    ["skip", () => skip(pane)],
    ["undo", deciding.undoLast],
    ["prev", () => step(pane, -1)],
    ["next", () => step(pane, 1)],
    ["who", pane.voice.attempt(() => changeWho(pane))],
  ];
  for (const [name, action] of buttons) find(page, `.cu-${name}`).addEventListener("click", action);
}

/** @param {HTMLElement} page @param {Pane["store"]} store */
function viewerOf(page, store) {
  const viewer = new CurateView(find(page, ".cu-view"), {
    painted: () => store.patch({ strokes: store.get().strokes + 1 }),
    slid: (share) => changeView(store, { share }),
    zoomed: (close) => {
      viewer.setClose(close);
      changeView(store, { close });
    },
  });
  const { close, outlined, share } = store.get().view;
  return Object.assign(viewer, { close, outlined, share });
}

/** A function that opens the page, and again where another data set is active. @param {Pane} pane */
function enterer(pane) {
  const { page, store, call, voice, desk } = pane;
  const watch = watcher(pane, () => enter());
  const enter = voice.attempt(async () => {
    // Set the switches to what this browser remembers.
    changeView(store, {});
    const wanted = taken("id");
    const { dataset, need, queue } = await call("open_page", queueAsked(store.get(), PAGE));
    store.patch({ dataset });
    showNeed(page, need);
    if (need) return void watch(true);
    fitBody(find(page, ".cu-body"));
    await knowWho(pane);
    const { chosen } = store.get();
    const lost = filtering(chosen).filter(
      (name) => !queue.filters[name].some((/** @type {any} */ { value }) => value === chosen[name]),
    );
    if (lost.length) {
      // The candidates are of another data set.
      store.patch({ chosen: { ...chosen, ...Object.fromEntries(lost.map((name) => [name, null])) } });
      await desk.refresh();
    } else takeQueue(store, queue, desk.show);
    await desk.readPast();
    if (wanted) await desk.show(wanted);
    else await desk.showFirst();
    watch(false);
  });
  return enter;
}

/**
 * @param {HTMLElement} page
 * @param {{ title: string, text: string, link: string, button: string } | null} need
 */
function showNeed(page, need) {
  const box = find(page, ".st-need");
  box.hidden = !need;
  find(page, ".cu-body").hidden = find(page, ".st-hints").hidden = Boolean(need);
  if (!need) return;
  const way = make("a", { class: "main-button", href: need.link }, need.button);
  box.replaceChildren(...empty(need.title, need.text, way));
}

/**
 * A function that looks every few seconds for what others decide and what is painted, and gives a sign of
 * life for what is open here. A later call ends an earlier one.
 * @param {Pane} pane
 * @param {() => unknown} enter
 */
function watcher(pane, enter) {
  const { page, store } = pane;
  let watching = 0;
  /** @param {boolean} isEmpty whether the page has nothing to show yet */
  return async (isEmpty) => {
    const mine = (watching += 1);
    const life = { shown: Date.now() };
    while (page.isConnected && mine === watching) {
      await new Promise((done) => setTimeout(done, 2000));
      if (document.hidden || !page.offsetParent || store.get().deciding) continue;
      try {
        if (await look(pane, isEmpty, life)) {
          store.patch({ shown: null });
          return enter();
        }
      } catch {
        // a failure is shown on the next click
      }
    }
  };
}

/**
 * Whether the page is to be opened anew.
 * @param {Pane} pane
 * @param {boolean} isEmpty
 * @param {{ shown: number }} life when the last sign of it was given
 */
async function look({ store, call, desk }, isEmpty, life) {
  const { stamp, dataset } = store.get();
  const answer = await call("news", { stamp });
  if (answer.dataset !== dataset) return true;
  if (isEmpty && answer.changed && dataset) {
    return !(await call("open_page", queueAsked(store.get(), PAGE))).need;
  }
  if (answer.changed && !isEmpty) {
    await desk.settle();
    const { at, items } = store.get();
    if (!at && items.length) await desk.showFirst();
  }
  const { held, who } = store.get();
  if (held && Date.now() - life.shown > MINUTE) {
    life.shown = Date.now();
    const { holder } = await call("stay", { id: held, who });
    if (holder) await desk.show(held);
  }
  return false;
}

/** Pixels above it of the frame, which may come a moment later, and of the page's edge; curate.css counts on them too. */
const HEAD = 125;

/**
 * Queue, picture and history end at the lower edge of the window, so that the decision is always in sight.
 * @param {HTMLElement} body
 */
function fitBody(body) {
  const top = Math.max(HEAD, body.getBoundingClientRect().top + window.scrollY);
  body.style.setProperty("--cu-room", `${Math.max(520, window.innerHeight - top - 48)}px`);
}
