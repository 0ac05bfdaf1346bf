// Why a candidate is rejected: usual reasons, an own one, or none. Knows the reasons, not the decision.

import { find, make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { counted } from "../shared/words.js";
import { openOne } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/**
 * @typedef {object} Reasons
 * @property {() => void} open
 * @property {(further?: string) => void} give what was picked, and one more
 * @property {(reason: string, several: boolean) => void} pick a reason; `several`: and wait for others
 */

/** @param {Pane} pane @param {import("./deciding.js").Deciding} deciding @returns {Reasons} */
export function showReasons({ page, store }, { decide }) {
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
    const { reasons } = store.get();
    if (!openOne(store.get())) return;
    picked = new Set();
    const title = "Reject without a reason, or with those that were added (Enter)";
    const none = plain("No reason", () => give(), { class: "plain-button small cu-noreason", title });
    const buttons = reasons.map((reason, at) => reasonButton(reason, at, pick));
    box.replaceChildren(make("span", { class: "cu-why" }, "Why?"), ...buttons, ownReason(give, close), none);
    store.patch({ asking: true });
  };
  return { open, give, pick };
}

/** @param {string} reason @param {number} at @param {Reasons["pick"]} pick */
function reasonButton(reason, at, pick) {
  return make(
    "button",
    {
      type: "button",
      class: "plain-button small",
      "data-reason": reason,
      "aria-pressed": "false",
      title: "Reject for this; with Shift add it to others",
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
    placeholder: "own reason, then Enter",
    "aria-label": "Own reason",
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
