// The blind test: one crop after another, real or painted? The server says which it was only in the result.

import { find, make } from "../shared/dom.js";
import { once } from "../shared/server.js";
import { plain, small } from "../shared/parts.js";
import { quiet } from "./parts.js";
import { dialogOf, sheet } from "./sheet.js";
import { timeOf } from "../shared/words.js";

/**
 * @typedef {import("./state.js").Pane} Pane
 * @typedef {{ id: string, who: string, ended: string, lines: { name: string, said: string }[] }} Result
 * @typedef {{ number: number, total: number, picture: string, result?: undefined } | { result: Result }} Standing
 */

const ABOUT =
  "You see defects of the training split and painted ones of the same types, cropped and in random order, and say " +
  "which are which. You can stop and continue at any time. The result is stored here with your name; the last ";

/** @param {Pane} pane */
export function showBlind(pane) {
  const { page, voice } = pane;
  const open = voice.attempt(() => showTests(pane));
  find(page, ".cu-blind").addEventListener("click", open);
}

/** What was found so far, and the way into a test. @param {Pane} pane */
async function showTests(pane) {
  const { page, call, store, voice } = pane;
  const who = store.get().who;
  /** @type {{ most: number, kept: number, mine: [number, number] | null, over: Result[] }} */
  const { most, kept, mine, over } = await call("blind_tests", { who });
  const drop = voice.attempt(async (/** @type {string} */ id) => {
    await call("delete_blind", { id });
    await showTests(pane);
    voice.toast("Blind test deleted.", async () => {
      await call("restore_blind", { id });
      await showTests(pane);
    });
  });
  const words = mine ? `Continue, ${mine[0]} of ${mine[1]} answered` : "Start";
  const begin = once(voice.attempt(async () => showCrops(pane, await call("begin_blind", { who }))));
  const go = plain(words, begin, { class: "main-button cu-begin" });
  const none = quiet(`No one has taken it yet. It has at most ${most} pictures.`);
  const about = make("p", { class: "st-quiet cu-blindabout" }, `${ABOUT}${kept} are kept.`);
  const inside = [about, ...(over.length ? over.map((result) => resultOf(result, drop)) : [none])];
  sheet(page, "Blind test", inside, [go, plain("Close", () => dialogOf(page).close())]);
  go.focus();
}

/** @typedef {"real" | "painted"} Said */
/** @type {Record<string, Said>} */
const KEYS = { r: "real", p: "painted" };

/** @param {Pane} pane @param {Standing} first */
function showCrops(pane, first) {
  const { page, call, store, voice } = pane;
  const { who } = store.get();
  const dialog = dialogOf(page);
  const picture = make("img", { class: "cu-crop", width: 320, height: 320, alt: "Real or painted?" });
  const line = make("p", { class: "st-quiet", role: "status" }, "The first picture is on its way.");
  let [number, told] = [0, ""];
  /** @param {Standing} standing */
  const show = async (standing) => {
    if (standing.result) return over();
    number = standing.number;
    picture.src = standing.picture;
    await picture.decode().catch(() => {}); // nobody answers for a picture that is not there yet
    told = `Picture ${number + 1} of ${standing.total}`;
    line.textContent = told;
  };
  const { wait, isWaiting } = waiter(picture);
  const say = voice.attempt(async (/** @type {Said} */ said) => {
    if (isWaiting()) {
      line.textContent = "The next picture is on its way: your last press did not count.";
      return;
    }
    try {
      await wait(async () => show(await call("answer_blind", { who, number, said })));
    } finally {
      line.textContent = told;
    }
  });
  const leave = whileOpen(dialog, say);
  const over = () => {
    leave();
    return showTests(pane);
  };
  const end = voice.attempt(async () => {
    await call("end_blind", { who });
    await over();
  });
  const real = sayer("real", "Real", () => say("real"));
  const stops = [plain("End test", end), plain("Pause", () => dialog.close())];
  sheet(
    page,
    "Real or painted?",
    [picture, line],
    [real, sayer("painted", "Painted", () => say("painted")), ...stops],
  );
  wait(() => show(first));
  real.focus();
}

/** Waiting for the next picture, which dims the one that was answered once it takes long. @param {HTMLElement} picture */
function waiter(picture) {
  let isBusy = false;
  /** @param {() => unknown} next */
  const wait = async (next) => {
    isBusy = true;
    const late = setTimeout(() => picture.classList.add("cu-next"), 150);
    try {
      await next();
    } finally {
      clearTimeout(late);
      picture.classList.remove("cu-next");
      isBusy = false;
    }
  };
  return { wait, isWaiting: () => isBusy };
}

/** A button with its key. @param {Said} said @param {string} title @param {() => unknown} onclick */
const sayer = (said, title, onclick) =>
  make(
    "button",
    { type: "button", class: `plain-button cu-say-${said}`, onclick },
    `${title} `,
    make("kbd", {}, title[0]),
  );

/**
 * Listen to the keys while the dialog is open; a function that ends it.
 * @param {HTMLDialogElement} dialog
 * @param {(said: Said) => unknown} say
 */
function whileOpen(dialog, say) {
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    const said = KEYS[event.key.toLowerCase()];
    if (said && !event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey) say(said);
  };
  const leave = () => dialog.removeEventListener("keydown", press);
  dialog.addEventListener("keydown", press);
  dialog.addEventListener("close", leave, { once: true });
  return leave;
}

/** @param {Result} result @param {(id: string) => unknown} drop */
const resultOf = ({ id, who, ended, lines }, drop) =>
  make(
    "section",
    { class: "cu-likegroup" },
    make(
      "h3",
      {},
      `${who}, ${timeOf(ended, new Date())} `,
      small("Delete", () => drop(id), { class: "plain-button small cu-dropblind", "data-needs": "curator" }),
    ),
    make("dl", {}, ...lines.flatMap(({ name, said }) => [make("dt", {}, name), make("dd", {}, said)])),
  );
