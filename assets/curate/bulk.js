// Decisions on many candidates at once, each asked for before it is done.

import { find, make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { once, sentence } from "../shared/server.js";
import { counted } from "../shared/words.js";
import { lamp, quiet } from "./parts.js";
import { dialogOf, sheet } from "./sheet.js";
import { filtering, queueAsked } from "./state.js";
import { addressOf } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./deciding.js").Deciding} Deciding */
/** @typedef {(begun: { run: string }) => Promise<any>} Followed */
/** @typedef {"accept" | "reject"} Action */
/** @typedef {{ ids: string[], held: number }} Free candidates; `held`: how many more others have open */
/** @typedef {(action: Action, ids: string[], reasons: string[]) => Promise<unknown>} Run */

const RECOMMENDED =
  "Finds which of them help on held-out training parts, possibly none; takes a moment, and asks before " +
  "accepting anything";

/** @param {Pane} pane @param {Deciding} deciding @param {Followed} followed */
export function showBulk(pane, deciding, followed) {
  const { page, store, call, voice } = pane;
  const box = find(page, ".cu-bulk");
  const run = runner(pane, deciding, followed);
  const recommend = once(
    voice.attempt(async () => {
      const {
        ids,
        sentence: advice,
        cancelled,
      } = await followed(await call("recommend", queueAsked(store.get())));
      if (cancelled) return;
      if (ids.length) return ask(pane, "accept", { ids, held: 0 }, run, advice);
      const close = plain("Close", () => dialogOf(page).close());
      sheet(page, "Nothing is recommended", [make("p", {}, advice)], [close]);
    }),
  );
  store.subscribe(["counts", "status", "chosen"], ({ counts, status, chosen }) => {
    // Leave out those that the list does not show.
    const number = ["pending", "all"].includes(status) ? counts.pending || 0 : 0;
    if (number < 2) return box.replaceChildren();
    const some = `${filtering(chosen).length ? "these" : "all"} ${number.toLocaleString("en")}…`;
    /** @param {Action} action @param {string} words */
    const button = (action, words) => {
      const begin = async () => ask(pane, action, await call("chosen", queueAsked(store.get())), run);
      return plain(`${words} ${some}`, voice.attempt(begin), { "data-bulk": action });
    };
    const more = { "data-bulk": "recommended", title: RECOMMENDED };
    const recommended = plain("Accept recommended…", recommend, more);
    box.replaceChildren(button("accept", "Accept"), button("reject", "Reject"), recommended);
  });
}

/** @param {Pane} pane @param {Deciding} deciding @param {Followed} followed @returns {Run} */
const runner =
  ({ page, store, call, voice, desk }, { inTurn, takeBack }, followed) =>
  (action, ids, reasons) => {
    const question = dialogOf(page).firstElementChild;
    return inTurn(action === "accept" ? "Accepting" : "Rejecting", async () => {
      let answer;
      try {
        answer = await followed(await call("bulk", { action, ids, reasons, who: store.get().who }));
      } finally {
        if (question?.isConnected) dialogOf(page).close();
      }
      store.patch({ together: answer.ids });
      await desk.settle();
      voice.toast(answer.sentence, answer.ids.length ? () => takeBack(answer.ids) : undefined);
      const { items, at } = store.get();
      if (items.some(({ id }) => id === at)) await desk.show(at);
      else await desk.showFirst();
    });
  };

/**
 * Ask whether these are to be decided on; `advice` says why it is these.
 * @param {Pane} pane
 * @param {Action} action
 * @param {Free} free
 * @param {Run} run
 * @param {string} [advice]
 */
function ask(pane, action, { ids, held }, run, advice) {
  const { page, store, voice } = pane;
  const isAccept = action === "accept";
  const word = isAccept ? "Accept" : "Reject";
  const { chips, picked } = reasonChips(store.get().reasons);
  /** Near-duplicates that are left out. @type {string[]} */
  let without = [];
  const go = make(
    "button",
    {
      ...{ type: "button", class: "main-button cu-confirm", disabled: !ids.length },
      onclick: voice.attempt(() =>
        run(
          action,
          ids.filter((id) => !without.includes(id)),
          [...picked],
        ),
      ),
    },
    `${word} ${counted(ids.length, "candidate")}`,
  );
  /** @param {string[]} repeats */
  const leaveOut = (repeats) => {
    without = repeats;
    const title = `${word} ${counted(ids.length - without.length, "candidate")}`;
    go.textContent = title;
    find(dialogOf(page), "h2").textContent = `${title}?`;
  };
  const others = `${counted(held, "candidate")} that others have open ${held === 1 ? "is" : "are"} left out.`;
  const inside = [
    make(
      "p",
      {},
      ids.length ? aboutThese(store, isAccept, advice) : "None of them is available for a decision.",
    ),
    isAccept && ids.length > 0 && effectOf(pane, ids, leaveOut),
    held > 0 && quiet(others),
    ...(isAccept ? [] : chips),
  ];
  sheet(page, `${go.textContent}?`, inside, [plain("Cancel", () => dialogOf(page).close()), go]);
}

/** @param {Pane["store"]} store @param {boolean} isAccept @param {string} [advice] */
function aboutThese(store, isAccept, advice) {
  const { chosen, filters } = store.get();
  const titles = filtering(chosen)
    .map((name) => filters[name].find(({ value }) => value === chosen[name])?.title || "")
    .filter(Boolean)
    .map((title) => `"${title}"`);
  const all = "Every pending candidate of this data set.";
  const which = titles.length ? `Every pending candidate with ${titles.join(", ")}.` : all;
  const fate = isAccept
    ? "Their patches join the positive bank of the active bank version."
    : "They stay out of the bank.";
  return `${advice || which} ${fate} You can undo all of it.`;
}

/** @param {string[]} reasons */
function reasonChips(reasons) {
  /** @type {Set<string>} */
  const picked = new Set();
  const buttons = reasons.map((reason) => {
    const pick = () => {
      if (!picked.delete(reason)) picked.add(reason);
      button.setAttribute("aria-pressed", String(picked.has(reason)));
    };
    const button = plain(reason, pick, { class: "plain-button small", "aria-pressed": "false" });
    return button;
  });
  return { picked, chips: [quiet("Why?"), make("div", { class: "st-do" }, ...buttons)] };
}

/**
 * What accepting all together would change, once it is measured, and whether near-duplicates are left out.
 * @param {Pane} pane
 * @param {string[]} ids
 * @param {(repeats: string[]) => void} leaveOut
 */
function effectOf({ call, terms }, ids, leaveOut) {
  const box = make("div", { class: "cu-together", role: "status" }, "Measuring the effect of all together…");
  call("effect", { ids })
    .then(({ light, text, repeats }) => {
      const told = make("p", {}, lamp(light, terms), ` All together: ${text}.`);
      box.replaceChildren(told, ...(repeats.length ? repeatsOf(repeats, leaveOut) : []));
    })
    .catch((error) => (box.textContent = sentence(error)));
  return box;
}

/** @param {string[]} repeats @param {(repeats: string[]) => void} leaveOut */
function repeatsOf(repeats, leaveOut) {
  const isOne = repeats.length === 1;
  const many = repeats.length.toLocaleString("en");
  const what = isOne ? "is a near-duplicate of another" : "are near-duplicates of others";
  const pictures = repeats
    .slice(0, 6)
    .map((id) => make("img", { alt: `Near-duplicate ${id}`, title: id, src: addressOf(id, "close") }));
  const rest = repeats.length - pictures.length;
  const more = rest > 0 && make("span", { class: "st-quiet" }, `and ${rest.toLocaleString("en")} more`);
  /** @type {HTMLInputElement} */
  const check = make("input", {
    type: "checkbox",
    onchange: () => leaveOut(check.checked ? repeats : []),
  });
  return [
    make("p", {}, `${many} of them ${what} and would teach the bank nothing new:`),
    make("div", { class: "cu-alike cu-repeats" }, ...pictures, more),
    make("label", { class: "cu-check" }, check, ` Leave ${isOne ? "it" : "them"} out`),
  ];
}
