// Keeps the server's latest answers, so that going back to an image is instant. Knows neither server nor
// images.

/**
 * @template Answer
 * @typedef {object} Cache
 * @property {(id: string, ask: () => Promise<Answer>) => Promise<Answer>} get what is kept, or else ask
 * @property {(id: string, answer: Answer) => void} set
 * @property {() => void} clear
 */

/**
 * A cache of `most` answers; the one used longest ago goes first, and one that failed is not kept.
 * @template Answer
 * @param {number} most
 * @returns {Cache<Answer>}
 */
export function createCache(most) {
  /** @type {Map<string, Promise<Answer>>} the latest used last */
  const answers = new Map();
  const put = (/** @type {string} */ id, /** @type {Promise<Answer>} */ answer) => {
    answers.delete(id);
    answers.set(id, answer);
    const [oldest] = answers.keys();
    if (answers.size > most) answers.delete(oldest);
    return answer;
  };
  return {
    get(id, ask) {
      const kept = answers.get(id);
      if (kept) return put(id, kept);
      const answer = ask();
      answer.catch(() => answers.delete(id));
      return put(id, answer);
    },
    set: (id, answer) => void put(id, Promise.resolve(answer)),
    clear: () => answers.clear(),
  };
}
