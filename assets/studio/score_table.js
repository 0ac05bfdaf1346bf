// What became of prompts, as a table. Knows rows, not the server.

import { make } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { editName } from "../shared/renaming.js";

/**
 * What became of a prompt: of the library, or one that was only typed (prompt null).
 * @typedef {object} Score
 * @property {import("./prompts.js").Prompt | null} prompt
 * @property {string} template
 * @property {number} made
 * @property {number} accepted
 * @property {number} rejected
 * @property {number} pending
 * @property {number | null} rate 0 to 1
 * @property {number | null} quality 0 to 1
 * @property {[low: number, high: number] | null} interval of the rate
 *
 * @typedef {object} Acts
 * @property {(prompt: import("./prompts.js").Prompt, tags: string[]) => unknown} tag
 * @property {(prompt: import("./prompts.js").Prompt) => unknown} remove
 * @property {(prompt: import("./prompts.js").Prompt, name: string) => unknown} rename
 * @property {(score: Score) => unknown} load
 * @property {(id: string, on: boolean) => void} tick
 * @property {() => void} [ticked]
 *
 * @typedef {import("./settings.js").Engine} Engine
 */

const TITLES = ["", "Prompt", "Tags", "Painted", "Accepted", "Rejected", "Pending", "Rate", "Quality", ""];
/** @type {Record<string, string>} */
const HELP = {
  Painted: "Candidates, including deleted ones; a draft counts once it is kept",
  Rate: "Share accepted of those decided, with its 95 % interval",
  Quality: "Mean of the measures' lights: green 1, amber 0.5, red 0",
};

/** @param {Score[]} rows @param {Engine[]} engines @param {Set<string>} ticked @param {Acts} acts */
export function scoreTable(rows, engines, ticked, acts) {
  const heads = TITLES.map((title, index) =>
    make("th", { class: index > 2 && index < 9 ? "number" : "", title: HELP[title] }, title),
  );
  const lines = rows.map((row) => line(row, engines, ticked, acts));
  const table = make(
    "table",
    { class: "table compact st-scores" },
    make("thead", {}, make("tr", {}, ...heads)),
    make("tbody", {}, ...lines),
  );
  const told = Object.entries(HELP).map(
    ([name, words]) => `${name}: ${words[0].toLowerCase()}${words.slice(1)}.`,
  );
  return make("div", { class: "wide" }, table, make("p", { class: "st-quiet" }, told.join(" ")));
}

/** @param {Score} row @param {Engine[]} engines @param {Set<string>} ticked @param {Acts} acts */
function line(row, engines, ticked, acts) {
  const { prompt } = row;
  const numbers = [row.made, row.accepted, row.rejected, row.pending].map((value) =>
    make("td", { class: "number" }, value.toLocaleString("en")),
  );
  const [low, high] = row.interval || [];
  const range =
    low === undefined || high === undefined ? "" : `${Math.round(100 * low)}–${Math.round(100 * high)} %`;
  const shares = [
    make("td", { class: "number" }, share(row.rate), range && make("span", { class: "under" }, range)),
    make("td", { class: "number" }, share(row.quality)),
  ];
  const name = make("span", {}, prompt?.name);
  const call = {
    class: "plain-button small st-rename",
    "aria-label": `Rename ${prompt?.name}`,
    title: "Rename",
  };
  const edit = () => prompt && editName(name, (other) => acts.rename(prompt, other));
  const buttons = [
    small("Load", () => acts.load(row)),
    prompt && small("✎", edit, { ...call, "data-needs": "curator" }),
    prompt && small("Delete", () => acts.remove(prompt), { "data-needs": "curator" }),
  ];
  return make(
    "tr",
    { "data-id": prompt?.id },
    make("td", {}, prompt && tickField(prompt, ticked.has(prompt.id), acts)),
    make("td", { class: "st-text" }, ...nameOf(row, name, engines)),
    make("td", {}, prompt && tagField(prompt, acts)),
    ...numbers,
    ...shares,
    make("td", { class: "end" }, make("span", { class: "actions" }, ...buttons)),
  );
}

/** @param {number | null} value */
const share = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);

/** @param {Score} row @param {HTMLElement} name @param {Engine[]} engines */
function nameOf({ prompt, template }, name, engines) {
  const engine = prompt && engines.find(({ name }) => name === prompt.engine);
  const title = engine ? make("span", { class: "st-quiet" }, ` · ${engine.title}`) : "";
  return [
    prompt && make("b", { class: "st-two" }, name, title),
    make("span", { class: "st-two st-quiet", title: template }, template || "No words"),
  ];
}

/** @param {import("./prompts.js").Prompt} prompt @param {boolean} checked @param {Acts} acts */
function tickField({ id, name }, checked, acts) {
  const field = make("input", { type: "checkbox", checked, "aria-label": `Tick ${name}` });
  field.addEventListener("change", () => {
    acts.tick(id, field.checked);
    acts.ticked?.();
  });
  return field;
}

/** @param {import("./prompts.js").Prompt} prompt @param {Acts} acts */
function tagField(prompt, acts) {
  const field = make("input", {
    type: "text",
    class: "st-tags",
    value: prompt.tags.join(", "),
    placeholder: "add tags",
    "aria-label": `Tags of ${prompt.name}, separated by commas`,
  });
  field.addEventListener("change", () => {
    const tags = field.value.split(",").map((one) => one.trim());
    acts.tag(prompt, tags.filter(Boolean));
  });
  return field;
}
