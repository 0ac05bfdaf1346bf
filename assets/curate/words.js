// What the Curate page says of candidates, and which of them comes next. Pure: knows no element and no
// server.

/** @typedef {"green" | "amber" | "red" | "grey"} Light */
/** @typedef {"pending" | "accepted" | "rejected"} Status */
/**
 * A candidate in the queue, as pages/curate/cards.py tells of it; `holder` has it open.
 * @typedef {object} Item
 * @property {string} id
 * @property {string} prompt
 * @property {string} title of its engine
 * @property {string} type
 * @property {Status} status
 * @property {string} holder
 * @property {{ light: Light, text: string, short: string } | null} effect
 * @property {string} [alike] the pending candidate that it nearly repeats, or its own id
 * @property {number} [more] candidates that nearly repeat it and are folded into its card
 *
 * @typedef {{ value: string, title: string, count: number }} Option
 *
 * The queue's answer.
 * @typedef {object} Queue
 * @property {Item[]} items
 * @property {number} total
 * @property {Partial<Record<Status, number>>} counts
 * @property {Record<string, Option[]>} filters
 * @property {string[]} types
 * @property {string[]} reasons
 * @property {string[]} own those of them that people added
 * @property {string} stamp
 * @property {number} behind images that joined or left the bank since effects are measured
 *
 * A line of the history.
 * @typedef {object} Line
 * @property {number} id
 * @property {string} subject
 * @property {boolean} real whether it is about a real image
 * @property {boolean} bank whether it is about a bank and no picture
 * @property {string} action
 * @property {string} said
 * @property {string} who
 * @property {string} created
 * @property {boolean} undone
 * @property {string} undone_by
 *
 * One candidate, as pages/curate/candidate.py tells of it.
 * @typedef {Item & {
 *   width: number, height: number, outline: [number, number][][], trimmed: boolean,
 *   facts: [name: string, value: string][], notes: string[], decision: Line | null,
 * }} Candidate
 *
 * @typedef {object} Quality
 * @property {string} stamp
 * @property {{ name: string, light: Light, text: string, meaning: string }[]} measures
 * @property {{ image: string, type: string, distance: string }[]} alike
 * @property {{ id: string, name: string, real: boolean }[]} twins
 * @property {[number, number][][]} leftOut
 * @property {[left: number, all: number]} patches
 *
 * The measures of the candidate that is shown; `late`: which of them hold for an earlier state of the bank.
 * @typedef {{ quality?: Quality, late?: "all" | "effect" | "", problem?: string }} Measured
 */

/** @type {[value: string, words: string][]} */
export const SORTS = [
  ["effect", "Most effect"],
  ["visible", "Most visible"],
  ["clean", "Cleanest"],
  ["plausible", "Most plausible"],
  ["new", "Most new"],
  ["newest", "Newest first"],
  ["oldest", "Oldest first"],
];
/** Orders in which no measure plays a part. */
export const BY_TIME = ["newest", "oldest"];
/** @type {[status: Status | "all", words: string][]} */
export const STATUSES = [
  ["pending", "Pending"],
  ["accepted", "Accepted"],
  ["rejected", "Rejected"],
  ["all", "All"],
];
/** @type {Record<Status, string>} */
export const SIGNS = { pending: "○", accepted: "✓", rejected: "✕" };
/** @type {Record<Light, string>} */
export const LAMPS = { green: "✓", amber: "~", red: "✕", grey: "?" };
export const MINUTE = 60_000;

/** "Visible" of "visible". @param {string} name */
export const named = (name) => name[0].toUpperCase() + name.slice(1);

/** @param {string} id @param {"close" | "source" | "image"} what */
export const addressOf = (id, what) => `./candidate?id=${encodeURIComponent(id)}&what=${what}`;

/** @param {string} id of a real image */
export const inspectUrl = (id) => `./?image=${encodeURIComponent(id)}`;

/** Whether somebody else has it open. @param {Item} item @param {string} who */
export const isElsewhere = ({ holder }, who) => Boolean(holder) && holder !== who;

/** @param {Item[]} items @param {string} id */
export const placeOf = (items, id) => items.findIndex((item) => item.id === id);

/**
 * One card for candidates that nearly repeat each other: the first of them in the queue, which tells how many more. One
 * that somebody else has open has a card of its own, so that it keeps the others from nobody.
 * @param {Item[]} items
 * @param {{ who: string, unfolded: ReadonlySet<string>, at: string }} state who decides, what they repeat where every
 *   one is to be seen, and the one that is shown, which keeps its card
 */
export function folded(items, { who, unfolded, at }) {
  /** @type {Map<string, Item>} */
  const first = new Map();
  /** @type {Item[]} */
  const cards = [];
  for (const item of items) {
    const { id, status, alike = id } = item;
    const isTaken = status !== "pending" || isElsewhere(item, who);
    const isAlone = isTaken || unfolded.has(alike);
    const card = isAlone ? undefined : first.get(alike);
    if (card && id !== at) card.more = (card.more || 0) + 1;
    else {
      const own = { ...item };
      if (!isAlone && !card) first.set(alike, own);
      cards.push(own);
    }
  }
  return cards;
}

/**
 * A queue in an order that was seen before; what is new in it comes last.
 * @param {Item[]} items in the order of the measures as they are now
 * @param {string[]} order ids
 * @returns {{ items: Item[], order: string[], isOther: boolean }} isOther: whether the measures order it otherwise
 */
export function inOrder(items, order) {
  const fresh = items.filter(({ id }) => !order.includes(id)).map(({ id }) => id);
  const whole = [...order, ...fresh];
  const place = new Map(whole.map((id, at) => [id, at]));
  const sorted = [...items].sort((a, b) => (place.get(a.id) || 0) - (place.get(b.id) || 0));
  return { items: sorted, order: whole, isOther: sorted.some(({ id }, at) => id !== items[at].id) };
}

/**
 * The next one that waits for a decision and that nobody else has open, further down or else from the top.
 * @param {Item[]} items
 * @param {string} id
 * @param {string} who
 */
export function following(items, id, who) {
  const place = placeOf(items, id);
  const round = [...items.slice(place + 1), ...items.slice(0, Math.max(0, place))];
  return round.find((item) => item.status === "pending" && !isElsewhere(item, who));
}

/** The first that can be decided on, else the first. @param {Item[]} items @param {string} who */
export const firstFree = (items, who) =>
  items.find((item) => item.status === "pending" && !isElsewhere(item, who)) || items[0];

/**
 * @param {Partial<Record<Status, number>>} counts
 * @param {Status | "all"} status
 */
export const countOf = (counts, status) =>
  status === "all" ? Object.values(counts).reduce((a, b) => a + b, 0) : counts[status] || 0;

/** Times of the last ten minutes. @param {number[]} times @param {number} now */
export const recent = (times, now) => times.filter((time) => now - time < 10 * MINUTE);

/**
 * How far the queue is decided.
 * @param {Partial<Record<Status, number>>} counts
 * @param {{ times: number[], doing: string, left: number, fitting?: number }} state milliseconds of own
 *   decisions; candidates to measure; decisions that the banks do not follow yet
 */
export function progressLine(counts, { times, doing, left, fitting }) {
  const { accepted = 0, rejected = 0 } = counts;
  const span = times.length > 2 ? times[times.length - 1] - times[0] : 0;
  const pace = Math.round(((times.length - 1) / span) * MINUTE);
  const decided = `${format(accepted + rejected)} of ${format(countOf(counts, "all"))} decided`;
  return [
    doing && `${doing}…`,
    decided,
    `${format(accepted)} accepted`,
    span > 0 && `your pace ${format(pace)}/min`,
    left && `${format(left)} to measure`,
    fitting && "the bank is being updated",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** @param {number} number */
const format = (number) => number.toLocaleString("en");

/** What is still measured. @param {Measured} measured */
export function waitOf({ quality, late, problem }) {
  if (problem || late === "") return "";
  return late === "effect" && quality ? "measuring the effect…" : "measuring…";
}

/**
 * Whether a measure holds for an earlier state of the bank.
 * @param {string} name
 * @param {Measured["late"]} late
 */
export const isLate = (name, late) =>
  Boolean(late) && (name === "effect" || (late === "all" && name === "new"));

/**
 * The candidate that a key decides on: the one that is chosen, even while its record is on its way; null where it
 * cannot be decided on.
 * @param {{ items: Item[], at: string, shown: Candidate | null, who: string }} state
 * @returns {Item | null}
 */
export function openOne({ items, at, shown, who }) {
  const one = shown?.id === at ? shown : items[placeOf(items, at)];
  return one?.status === "pending" && !isElsewhere(one, who) ? one : null;
}

/**
 * How many have each status once one more is decided on.
 * @param {Partial<Record<Status, number>>} counts
 * @param {Status} status
 */
export const decidedOn = (counts, status) => ({
  ...counts,
  pending: Math.max(0, (counts.pending || 0) - 1),
  [status]: (counts[status] || 0) + 1,
});

/** Whether a candidate is shown and can be decided on. @param {Candidate | null} shown @param {string} at */
export const isOpen = (shown, at) =>
  shown !== null && shown.id === at && shown.status === "pending" && !shown.holder;
