// Why a candidate is rejected: usual reasons, an own one, or none. Knows the reasons, not the decision.

import { find, make } from "../shared/dom.js";
import { plain, small } from "../shared/parts.js";
import { editName } from "../shared/renaming.js";
import { counted } from "../shared/words.js";
import { openOne } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */

const LEAVE = { class: "plain-button small cu-leave", "data-needs": "curator" };

/**
 * @typedef {object} Reasons
 * @property {() => void} open
 * @property {(further?: string) => void} give what was picked, and one more
 * @property {(reason: string, several: boolean) => void} pick a reason; `several`: and wait for others
 */

/** @param {Pane} pane @param {import("./deciding.js").Deciding} deciding @returns {Reasons} */
export function showReasons(pane, { decide }) {
  const { page, store } = pane;
  const box = find(page, ".cu-reasons");
  /** @type {Set<string>} */
  let picked = new Set();
  store.subscribe(["asking"], ({ asking }) => {
    box.hidden = !asking;
    find(page, ".cu-reject").setAttribute("aria-expanded", String(asking));
  });
  const close = () => store.patch({ asking: false });
  /** @param {string} [further] */
  const give = (further) =>
    decide("reject", { reasons: [...new Set([...picked, ...(further ? [further] : [])])] });
  /** @param {string} reason @param {boolean} several */
  const pick = (reason, several) => {
    if (!several) return give(reason);
    if (!picked.delete(reason)) picked.add(reason);
    showPicked(box, picked);
  };
  const open = () => {
    if (!openOne(store.get())) return;
    picked = new Set();
    fill();
    store.patch({ asking: true });
  };
  const { leave, rename } = keeper(pane, () => store.get().asking && fill());
  const fill = () => {
    const { reasons, own } = store.get();
    const title = "Reject without a reason, or with those selected (Enter)";
    const none = plain("No reason", () => give(), { class: "plain-button small cu-noreason", title });
    const cross = keeperButton("✕", "Stop offering", (reason) => {
      picked.delete(reason);
      return leave(reason);
    });
    const pencil = keeperButton("✎", "Rename", (reason, place) =>
      editName(place, (called) => rename(reason, called), reason),
    );
    const buttons = reasons.flatMap((reason, at) => {
      const button = reasonButton(reason, at, pick);
      if (!own.includes(reason)) return [button];
      const place = make("span", {}, button);
      return [place, pencil(reason, place), cross(reason, place)];
    });
    box.replaceChildren(make("span", { class: "cu-why" }, "Why?"), ...buttons, ownReason(give, close), none);
    showPicked(box, picked);
  };
  return { open, give, pick };
}

/**
 * Functions that have a reason of people's own offered no longer, or under another name; Undo takes either back.
 * @param {Pane} pane
 * @param {() => unknown} fill show what is offered
 */
function keeper({ call, store, voice, desk }, fill) {
  /** @param {"leave_reason" | "offer_reason" | "rename_reason"} name @param {object} what */
  const ask = async (name, what) => {
    const { reasons, own } = await call(name, what);
    store.patch({ reasons, own });
    fill();
    if (name === "rename_reason") await desk.readPast();
  };
  const leave = voice.attempt(async (/** @type {string} */ reason) => {
    await ask("leave_reason", { reason });
    voice.toast(`"${reason}" is no longer offered.`, () => ask("offer_reason", { reason }));
  });
  const rename = voice.attempt(async (/** @type {string} */ reason, /** @type {string} */ called) => {
    if (called === reason) return fill();
    await ask("rename_reason", { reason, called });
    const back = () => ask("rename_reason", { reason: called, called: reason });
    voice.toast(`"${reason}" is called "${called}" now.`, back);
  });
  return { leave, rename };
}

/**
 * A small button beside a reason of people's own.
 * @param {string} sign
 * @param {string} words
 * @param {(reason: string, place: HTMLElement) => unknown} press
 */
const keeperButton =
  (sign, words, press) => (/** @type {string} */ reason, /** @type {HTMLElement} */ place) => {
    const about = `${words} "${reason}"`;
    return small(sign, () => press(reason, place), { ...LEAVE, title: about, "aria-label": about });
  };

/** @param {string} reason @param {number} at @param {Reasons["pick"]} pick */
function reasonButton(reason, at, pick) {
  return make(
    "button",
    {
      type: "button",
      class: "plain-button small",
      "data-reason": reason,
      "aria-pressed": "false",
      title: "Reject for this reason; hold Shift to select several",
      onclick: (event) => pick(reason, event.shiftKey),
    },
    at < 9 && make("kbd", {}, at + 1),
    reason,
  );
}

/** @param {(further: string) => void} give @param {() => void} close */
function ownReason(give, close) {
  const field = make("input", {
    type: "text",
    class: "cu-own",
    maxlength: "40",
    placeholder: "other reason, then Enter",
    "aria-label": "Other reason",
    onkeydown: (event) => {
      event.stopPropagation();
      if (event.key === "Escape") close();
      if (event.key !== "Enter") return;
      event.preventDefault();
      give(field.value.trim());
    },
  });
  return field;
}

/** @param {HTMLElement} box @param {Set<string>} picked */
function showPicked(box, picked) {
  for (const button of box.querySelectorAll("[data-reason]")) {
    const reason = button.getAttribute("data-reason") || "";
    button.setAttribute("aria-pressed", String(picked.has(reason)));
  }
  const none = find(box, ".cu-noreason");
  none.textContent = picked.size ? `Reject for ${counted(picked.size, "reason")}` : "No reason";
}
