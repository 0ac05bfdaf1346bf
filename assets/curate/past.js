// The history: what was decided on this data set, the newest first, each with its Undo.

import { find, make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { counted } from "../shared/words.js";
import { LINES } from "./state.js";
import { timeOf } from "../shared/words.js";
import { addressOf } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./words.js").Line} Line */

const NOTHING = "Decisions made here are listed, and can be undone at any time.";

/** @param {Pane} pane @param {import("./deciding.js").Deciding} deciding */
export function showPast(pane, { undoOne }) {
  const { page, store, voice, desk } = pane;
  store.subscribe(["past"], ({ past, pastTotal }) => {
    find(page, ".cu-pastcount").textContent = pastTotal ? counted(pastTotal, "decision") : "";
    const none = make("li", { class: "st-quiet cu-nopast" }, NOTHING);
    const lines = past.map((line) => lineOf(pane, line, undoOne));
    find(page, ".cu-lines").replaceChildren(...(lines.length ? lines : [none]));
    const more = Math.min(LINES, pastTotal - past.length);
    const readMore = voice.attempt(() => {
      store.patch({ lines: store.get().lines + LINES });
      return desk.readPast();
    });
    const button = plain(`Show ${more} more`, readMore, { class: "plain-button small" });
    find(page, ".cu-pastmore").replaceChildren(more > 0 ? button : "");
  });
}

/** @param {Pane} pane @param {Line} line @param {import("./deciding.js").Deciding["undoOne"]} undoOne */
function lineOf(pane, line, undoOne) {
  const when = timeOf(line.created, new Date());
  const by = line.undone_by ? ` by ${line.undone_by}` : "";
  return make(
    "li",
    { class: line.undone ? "cu-undone" : "", "data-decision": line.id },
    line.bank ? make("span", { class: "cu-thumb" }) : thumbOf(pane, line),
    make(
      "span",
      { class: "cu-said" },
      make("span", { class: "cu-what" }, make("b", {}, line.who), ` ${line.said}`),
      make("span", { class: "st-quiet" }, line.undone ? `${when}, undone${by}` : when),
    ),
    !line.undone &&
      !line.bank &&
      plain("Undo", () => undoOne(line), {
        class: "plain-button small",
        "data-needs": "curator",
        "aria-label": `Undo: ${line.said}`,
      }),
  );
}

/** @param {Pane} pane @param {Line} line */
function thumbOf({ voice, desk }, { real, subject }) {
  const source = real ? `./thumbnail?image=${encodeURIComponent(subject)}` : addressOf(subject, "close");
  const attributes = { disabled: real, title: real ? "A real image" : "Show" };
  const onclick = voice.attempt(() => desk.show(subject));
  return make(
    "button",
    { type: "button", class: "cu-thumb", ...attributes, onclick },
    make("img", { loading: "lazy", alt: "", src: source }),
  );
}
