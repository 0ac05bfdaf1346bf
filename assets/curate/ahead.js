// The records of the candidates that come next, asked for before it is their turn, so that the key that decides
// on one shows the next. Knows candidates and the server; knows no element.

import { placeOf } from "./words.js";

/** @typedef {import("./words.js").Candidate} Candidate */
/** @typedef {import("./words.js").Item} Item */

/** Candidates that are asked for at once. */
const AHEAD = 8;

/**
 * @typedef {object} Ahead
 * @property {(items: Item[], id: string) => void} fill ask for those that come after `id`
 * @property {(items: Item[], id: string) => Candidate | null} take the record of one, which is asked for anew from
 *   then on; null where it is not there yet
 */

/**
 * @param {(name: string, argument?: object) => Promise<any>} call
 * @returns {Ahead}
 */
export function createAhead(call) {
  /** @type {Map<string, Candidate | null>} null while it is on its way */
  const records = new Map();
  /** @param {string[]} ids */
  const ask = async (ids) => {
    for (const id of ids) records.set(id, null);
    try {
      /** @type {{ candidates: Candidate[] }} */
      const { candidates } = await call("ahead", { ids });
      for (const one of candidates) if (records.has(one.id)) records.set(one.id, one);
    } catch {
      // a failure is shown when the candidate is opened
    } finally {
      for (const id of ids) if (records.get(id) === null) records.delete(id);
    }
  };
  return {
    fill(items, id) {
      const place = placeOf(items, id);
      const wanted = items.slice(place + 1, place + 1 + 2 * AHEAD).map((item) => item.id);
      for (const known of records.keys()) if (!wanted.includes(known)) records.delete(known);
      const missing = wanted.filter((one) => !records.has(one)).slice(0, AHEAD);
      // Ask for several at once: one request each would be slower than the keys.
      if (missing.length >= AHEAD / 2 || wanted.slice(0, 2).some((one) => missing.includes(one)))
        ask(missing);
    },
    take(items, id) {
      const record = records.get(id) || null;
      records.delete(id);
      const item = items[placeOf(items, id)];
      return record && item
        ? { ...record, status: item.status, holder: item.holder, type: item.type }
        : record;
    },
  };
}
