// Remembers text in the browser's storage. A private window may refuse: then nothing is remembered.

/**
 * @param {string} key
 * @param {"localStorage" | "sessionStorage"} [where]
 * @returns {string} "" where nothing is stored
 */
export function recall(key, where = "localStorage") {
  try {
    return window[where].getItem(key) || "";
  } catch {
    return "";
  }
}

/**
 * @param {string} key
 * @param {string} value
 * @param {"localStorage" | "sessionStorage"} [where]
 */
export function remember(key, value, where = "localStorage") {
  try {
    window[where].setItem(key, value);
  } catch {
    // storage is refused, as in a private window
  }
}
