// Words and numbers for people. Pure: knows no element and no server.

/**
 * "1 image", "2,000 images".
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export const counted = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/**
 * When something was, of another day with its date: "09:05", "13 Mar 09:05".
 * @param {string} iso time
 * @param {Date} now
 */
export function timeOf(iso, now) {
  const made = new Date(iso);
  const clock = made.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (made.toDateString() === now.toDateString()) return clock;
  return `${made.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock}`;
}

/** The name of an image for people, of an id such as "tiles/good/1.png" or "file:/path/1.png#TIME". @param {string} id */
export const imageName = (id) =>
  id
    .replace(/^file:(.*)#\d+$/, "$1")
    .split("/")
    .at(-1) || id;

/**
 * The SVG path of closed lines through the centres of pixels.
 * @param {[x: number, y: number][][]} lines
 */
export const polygon = (lines) =>
  lines.map((line) => `M${line.map(([x, y]) => `${x + 0.5} ${y + 0.5}`).join("L")}Z`).join("");

/** Where the pages and the list of jobs (jobs/page.js) are, by the words for them. @type {Record<string, string>} */
const PLACES = {
  ...{ Inspect: "./", Studio: "./studio", Curate: "./curate" },
  ...{ Evaluate: "./evaluate", Data: "./data", Banks: "./banks", "Jobs above": "#jobs" },
};
const NAMED = new RegExp(
  `\\b(?:in|on|to|see) (?:the )?((${Object.keys(PLACES).join("|")})(?: page)?)\\b`,
  "g",
);

/**
 * A sentence in pieces: where it names a place to go to, that piece has its address.
 * @param {string} words
 * @param {string} here the last part of the address of the page that is open, such as "studio"
 * @returns {{ words: string, href?: string }[]}
 */
export function linked(words, here) {
  /** @type {{ words: string, href?: string }[]} */
  const pieces = [];
  let end = 0;
  for (const { 0: whole, 1: place, 2: name, index } of words.matchAll(NAMED)) {
    if (PLACES[name] === `./${here}`) continue;
    const start = index + whole.length - place.length;
    pieces.push({ words: words.slice(end, start) }, { words: place, href: PLACES[name] });
    end = index + whole.length;
  }
  return [...pieces, { words: words.slice(end) }].filter((piece) => piece.words);
}
