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
 * The SVG path of closed lines through the centres of pixels.
 * @param {[x: number, y: number][][]} lines
 */
export const polygon = (lines) =>
  lines.map((line) => `M${line.map(([x, y]) => `${x + 0.5} ${y + 0.5}`).join("L")}Z`).join("");
