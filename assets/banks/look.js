// The colours of the page, read from its style. Knows the names of CSS variables.

/**
 * @param {HTMLElement} page
 * @returns {import("./figures.js").Look}
 */
export function lookOf(page) {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    ink: of("--ink"),
    line: of("--line"),
    muted: of("--muted"),
    accent: of("--accent"),
    normal: of("--lm-normal"),
    defect: of("--lm-defect"),
    painted: of("--lm-painted"),
    types: of("--lm-types").split(/\s+/),
    family: getComputedStyle(page).fontFamily.replaceAll('"', "'"),
  };
}
