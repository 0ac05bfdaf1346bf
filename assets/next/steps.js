// Which step the strip shows. Pure: knows no element and no storage.

/**
 * One thing to do, as exdd_core/review/next_steps.py computes it. ticks: of the first steps.
 * @typedef {{ kind: string, said: string, button: string, link: string, ticks: { title: string, done: boolean }[] }} Step
 */

/** The first step of a kind that is not dismissed. @param {Step[]} steps @param {string[]} dismissed kinds */
export const chosenStep = (steps, dismissed) => steps.find(({ kind }) => !dismissed.includes(kind));

/** The kinds in a remembered text; none where it cannot be read. @param {string} text @returns {string[]} */
export function dismissedOf(text) {
  try {
    const kinds = JSON.parse(text || "[]");
    return Array.isArray(kinds) ? kinds.filter((kind) => typeof kind === "string") : [];
  } catch {
    return [];
  }
}
