// Asks the functions of a Gradio component's server, and turns what goes wrong into a sentence.
// Knows no element and no page.

import { tabDataset } from "./tab.js";

/**
 * What Gradio hands to `js_on_load`: the component's functions on the server.
 * @typedef {Record<string, (argument: object) => Promise<any>>} Server
 */

/** Said where no answer came, also by frame.js; the page's document has the event "exdd-answers" once one comes again. */
export const SILENT =
  "The workbench is not responding. Is it still running? Start it; this page then goes on.";

/** An error whose message people can read; any other error is a mistake in these scripts. */
export class Sentence extends Error {}

/**
 * The sentence to show for an error.
 * @param {unknown} error
 */
export function sentence(error) {
  if (error instanceof Sentence) return error.message;
  console.error(error);
  return "Something unexpected went wrong on this page; reload it.";
}

/**
 * A function that asks the server's function `name`. Throws a Sentence where the server answers { error }, or
 * does not answer.
 * @param {Server} server
 */
export function caller(server) {
  /**
   * @param {string} name
   * @param {object} [argument]
   * @returns {Promise<any>}
   */
  return async (name, argument = {}) => {
    // Gradio's client turns a request that failed into no answer at all.
    const dataset = tabDataset();
    const asked = dataset ? { dataset, ...argument } : argument;
    const answer = await server[name](asked).catch(() => undefined);
    if (answer === undefined) throw new Sentence(SILENT);
    if (answer?.error) throw new Sentence(answer.error);
    return answer;
  };
}

/**
 * A function that awaits an answer, and gives null in its place where a later one is awaited by then.
 */
export function newest() {
  /** @type {unknown} */
  let last;
  /** @param {Promise<any>} asked */
  return async (asked) => {
    last = asked;
    try {
      const answer = await asked;
      return last === asked ? answer : null;
    } catch (error) {
      if (last === asked) throw error;
      return null;
    }
  };
}

/**
 * Wrap what a button begins so that a press does nothing while the call of an earlier one is on its way.
 * @template {unknown[]} Given
 * @template Answer
 * @param {(...given: Given) => Answer | Promise<Answer>} action
 */
export function once(action) {
  let isOn = false;
  /** @param {Given} given */
  return async (...given) => {
    if (isOn) return;
    isOn = true;
    try {
      return await action(...given);
    } finally {
      isOn = false;
    }
  };
}

/**
 * Wrap a question so that no two run at once: while one runs, only the latest of those asked meanwhile waits.
 * @template {unknown[]} Given
 * @param {(...given: Given) => Promise<unknown>} question
 */
export function latest(question) {
  /** @type {Promise<void> | null} */
  let running = null;
  /** @type {Given | null} */
  let next = null;
  const run = async () => {
    while (next) {
      const now = next;
      next = null;
      try {
        await question(...now);
      } catch (error) {
        if (next) continue; // of a question that nobody waits for any longer
        running = null;
        throw error;
      }
    }
    running = null;
  };
  /** @param {Given} given */
  return (...given) => {
    next = given;
    running ||= run();
    return running;
  };
}
