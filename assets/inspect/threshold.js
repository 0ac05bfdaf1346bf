// The threshold of the bank version: opens its menu, and has what is chosen there found, stored and taken back by the
// server. Says when the one in force finds none of the known defects. What the menu shows is threshold_sheet.js'.

import { find, make } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { knownName } from "../shared/who.js";
import { blindness, dotsOf, strangeness, tally, unscoredWords } from "./cutting.js";
import { addressed, select, takeKnown } from "./opening.js";
import { sheetOf } from "./threshold_sheet.js";

/**
 * @typedef {import("./state.js").Inspect} Inspect
 * @typedef {{ way: "rate" | "f1" | "cost" | "hand", value: number, rate?: number, miss?: number }} Wanted
 */

/** @param {Inspect} inspect */
export function thresholdPane(inspect) {
  const { viewer, store } = inspect;
  const menu = find(viewer, ".vw-cut", HTMLDetailsElement);
  const sheet = find(menu, ".vw-sheet");
  /** What would be used. @type {Wanted} */
  let wanted = { way: "hand", value: 1 };
  const parts = sheetOf(store, {
    move: (value) => choose({ way: "hand", value }, ""),
    look: inspect.attempt(async (/** @type {Omit<Wanted, "value">} */ way) => {
      const { value, said } = await inspect.call("threshold", { list: store.get().list, ...way });
      choose({ ...way, value }, said);
    }),
    use: inspect.attempt(() => use(inspect, wanted, menu)),
    undo: inspect.attempt(() => undo(inspect, menu)),
  });
  sheet.replaceChildren(...parts.nodes);
  /** @param {Wanted} now @param {string} said */
  const choose = (now, said) => {
    wanted = now;
    parts.show(store.get(), now.value, said);
  };
  menu.addEventListener("toggle", () => {
    if (menu.open) choose({ way: "hand", value: store.get().threshold?.value ?? 1 }, "");
  });
  let isAsked = Boolean(addressed("threshold")); // the address asks for the menu once
  store.subscribe(["bank", "threshold", "images", "rows"], (state) => {
    menu.hidden = !state.bank;
    if (isAsked && state.bank) {
      isAsked = false;
      menu.open = true;
    }
    if (menu.open) parts.show(state, wanted.value, "");
    const at = state.threshold?.value ?? 1;
    const dots = dotsOf(state, at);
    const blind = blindness(tally(dots, at), dots.length === state.images.length);
    const said = blind || strangeness(dots, at);
    const words = said && said + unscoredWords(state.images.length, dots);
    const box = find(viewer, ".vw-blind");
    box.hidden = !words;
    const open = () => {
      menu.open = true;
      find(sheet, "input").focus();
    };
    const set = blind && small("Set another", open, { "data-needs": "curator" });
    box.replaceChildren(words && make("span", { title: words }, words), set);
  });
}

/** @param {Inspect} inspect @param {Wanted} wanted @param {HTMLDetailsElement} menu */
async function use(inspect, wanted, menu) {
  const { store, call } = inspect;
  const answer = await call("use_threshold", { list: store.get().list, ...wanted, who: knownName() });
  menu.open = false;
  await judgeAnew(inspect, answer);
  inspect.toast(
    answer.said,
    inspect.attempt(() => undo(inspect, menu)),
  );
}

/** @param {Inspect} inspect @param {HTMLDetailsElement} menu */
async function undo(inspect, menu) {
  const answer = await inspect.call("undo_threshold", { who: knownName() });
  menu.open = false;
  await judgeAnew(inspect, answer);
  inspect.toast(answer.said);
}

/**
 * Show every verdict, score and map by the threshold as it is now.
 * @param {Inspect} inspect
 * @param {import("./state.js").Bank} answer
 */
async function judgeAnew(inspect, { threshold }) {
  const { store, call, results } = inspect;
  results.clear();
  store.patch({ threshold });
  takeKnown(store, await call("known", { list: store.get().list }));
  const { id } = store.get();
  if (id !== null) await select(inspect, id);
}
