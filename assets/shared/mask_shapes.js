// Masks as arrays, one byte a pixel, 1 where it is set: grown, shrunk, with holes filled. Pure: knows no canvas.

const FAR = 1e9;

/**
 * Squared distances of every pixel to the nearest one that is set, by the lower envelope of parabolas along rows and
 * columns (Felzenszwalb and Huttenlocher, 2012).
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 */
function squaredDistances(mask, width, height) {
  const found = Float64Array.from(mask, (value) => (value ? 0 : FAR));
  for (let x = 0; x < width; x++) alongLine(found, x, width, height);
  for (let y = 0; y < height; y++) alongLine(found, y * width, 1, width);
  return found;
}

/**
 * @param {Float64Array} values changed in place
 * @param {number} start of the line
 * @param {number} step from one of its pixels to the next
 * @param {number} count
 */
function alongLine(values, start, step, count) {
  const line = Float64Array.from({ length: count }, (_, at) => values[start + at * step]);
  const lowest = new Int32Array(count);
  const from = new Float64Array(count + 1);
  let last = 0;
  from[0] = -Infinity;
  from[1] = Infinity;
  for (let at = 1; at < count; at++) {
    let cut = meeting(line, at, lowest[last]);
    while (cut <= from[last]) cut = meeting(line, at, lowest[--last]);
    lowest[++last] = at;
    from[last] = cut;
    from[last + 1] = Infinity;
  }
  for (let at = 0, piece = 0; at < count; at++) {
    while (from[piece + 1] < at) piece++;
    values[start + at * step] = (at - lowest[piece]) ** 2 + line[lowest[piece]];
  }
}

/** Where the parabolas over two pixels of a line meet. @param {Float64Array} line @param {number} a @param {number} b */
const meeting = (line, a, b) => (line[a] + a * a - line[b] - b * b) / (2 * (a - b));

/**
 * A mask grown by a disc, or shrunk by it where `by` is negative. Beyond the picture nothing is set.
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 * @param {number} by pixels
 */
export function grown(mask, width, height, by) {
  if (by >= 0) return squaredDistances(mask, width, height).map((d) => Number(d <= by * by));
  const outside = mask.map((value) => Number(!value));
  return squaredDistances(outside, width, height).map((d) => Number(d > by * by));
}

/**
 * A mask whose holes are set: what is empty and does not reach the edge of the picture.
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 */
export function withoutHoles(mask, width, height) {
  const out = new Uint8Array(mask.length).fill(1);
  /** @type {number[]} */
  const open = [];
  const visit = (/** @type {number} */ at) => {
    if (mask[at] || !out[at]) return;
    out[at] = 0;
    open.push(at);
  };
  for (let x = 0; x < width; x++) [x, (height - 1) * width + x].forEach(visit);
  for (let y = 0; y < height; y++) [y * width, y * width + width - 1].forEach(visit);
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const x = at % width;
    if (x > 0) visit(at - 1);
    if (x < width - 1) visit(at + 1);
    if (at >= width) visit(at - width);
    if (at < mask.length - width) visit(at + width);
  }
  return out;
}
