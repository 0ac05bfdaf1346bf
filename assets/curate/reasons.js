// Why a candidate is rejected: usual reasons, an own one, or none. Knows the reasons, not the decision.

import { find, make } from "../shared/dom.js";
import { plain, small } from "../shared/parts.js";
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
  const leave = leaver(pane, () => store.get().asking && fill());
  const fill = () => {
    const { reasons, own } = store.get();
    const title = "Reject without a reason, or with those selected (Enter)";
    const none = plain("No reason", () => give(), { class: "plain-button small cu-noreason", title });
    const cross = (/** @type {string} */ reason) => {
      const about = `Stop offering "${reason}"`;
      const press = () => {
        picked.delete(reason);
        return leave(reason);
      };
      return small("✕", press, { ...LEAVE, title: about, "aria-label": about });
    };
    const buttons = reasons.flatMap((reason, at) => {
      const button = reasonButton(reason, at, pick);
      return own.includes(reason) ? [button, cross(reason)] : [button];
    });
    box.replaceChildren(make("span", { class: "cu-why" }, "Why?"), ...buttons, ownReason(give, close), none);
    showPicked(box, picked);
  };
  return { open, give, pick };
}

/**
 * A function that has a reason of people's own offered no longer; Undo offers it again.
 * @param {Pane} pane
 * @param {() => unknown} fill show what is offered
 */
function leaver({ call, store, voice }, fill) {
  /** @param {"leave_reason" | "offer_reason"} name @param {string} reason */
  const ask = async (name, reason) => {
    const { reasons, own } = await call(name, { reason });
    store.patch({ reasons, own });
    fill();
  };
  return voice.attempt(async (/** @type {string} */ reason) => {
    await ask("leave_reason", reason);
    voice.toast(`"${reason}" is no longer offered.`, () => ask("offer_reason", reason));
  });
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
