// Who decides, marks or changes something: one name a browser, the same on every page. Knows nothing else.

import { recall, remember } from "./memory.js";

const WHO = "exdd.who";

/** The name, or "" where nobody gave one. */
export const knownName = () => recall(WHO);

/**
 * Remember a name, and say what was remembered: "" where it is empty.
 * @param {string} name
 */
export function rememberName(name) {
  const who = name.trim().replace(/\s+/g, " ");
  if (who) remember(WHO, who);
  return who;
}
