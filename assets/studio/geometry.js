// The geometry of the two panes: how an image fits, zoom, pan, a placed piece. Both panes share one
// zoom. Pure.

/**
 * Both in pixels of a pane; k: how much larger than an image that fits, x and y: how far it is moved.
 * @typedef {{ k: number, x: number, y: number }} Zoom
 *
 * How an image fits into a pane: pane pixels per image pixel, and the margins.
 * @typedef {{ scale: number, left: number, top: number }} Fit
 *
 * @typedef {[width: number, height: number]} Size
 * @typedef {[x: number, y: number]} Point
 */

/** Pixels around the whole image: a brush begins beyond its edge. */
const AROUND = 12;
/** Pixels for the head of a pane and, below it, what is said of a result; and for the head and the window's edge. */
export const BELOW = 120;
const LEAST_BELOW = 48;
const MOST = 40;
/** Pixels of the image that are seen at least around what is zoomed to. */
const CONTEXT = 64;

/** @type {Zoom} */
export const WHOLE = { k: 1, x: 0, y: 0 };

/** @param {number} value @param {number} low @param {number} high */
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * @param {Size} image
 * @param {Size} pane
 * @returns {Fit}
 */
export function fit(image, pane) {
  const scale = Math.min((pane[0] - 2 * AROUND) / image[0], (pane[1] - 2 * AROUND) / image[1]);
  return { scale, left: (pane[0] - image[0] * scale) / 2, top: (pane[1] - image[1] * scale) / 2 };
}

/** Whether an image is so wide that the panes lie one below the other. @param {Size} image */
export const isWide = ([width, height]) => width / height > 2;

/**
 * How high the panes are: below them there is room for what is said of a result, or else they end with the window.
 * @param {Size} image
 * @param {number} width of a pane
 * @param {number} room below the panes' upper edge, without what is said below them
 */
export function paneHeight(image, width, room) {
  const most = clamp(room, clamp(room + BELOW - LEAST_BELOW, 240, 320), 720);
  const wanted = ((width - 2 * AROUND) * image[1]) / image[0] + 2 * AROUND;
  return Math.round(Math.max(isWide(image) ? 96 : 240, Math.min(wanted, most)));
}

/**
 * Zoom with the wheel: the place under the pointer stays where it is.
 * @param {Zoom} zoom
 * @param {Size} image
 * @param {Size} pane
 * @param {Point} at the pointer, in the pane
 * @param {number} factor
 */
export function zoomedAt(zoom, image, pane, [px, py], factor) {
  const k = clamp(zoom.k * factor, 1, MOST);
  if (k === 1) return WHOLE;
  const { left, top } = fit(image, pane);
  const x = px - left - ((px - left - zoom.x) * k) / zoom.k;
  const y = py - top - ((py - top - zoom.y) * k) / zoom.k;
  return inSight({ k, x, y }, image, pane);
}

/**
 * Moved so far that at least a quarter of the pane still shows the image.
 * @param {Zoom} zoom
 * @param {Size} image
 * @param {Size} pane
 */
export function inSight({ k, x, y }, image, pane) {
  const { scale, left, top } = fit(image, pane);
  return {
    k,
    x: clamp(x, pane[0] / 4 - left - image[0] * scale * k, (pane[0] * 3) / 4 - left),
    y: clamp(y, pane[1] / 4 - top - image[1] * scale * k, (pane[1] * 3) / 4 - top),
  };
}

/**
 * A box of the image with as much again around it, with as little as possible outside the image.
 * @param {import("./masks.js").Box} box
 * @param {Size} image
 * @param {Size} pane
 */
export function zoomedTo([boxLeft, boxTop, width, height], image, pane) {
  const { scale, left, top } = fit(image, pane);
  const seen = Math.max(2 * width, CONTEXT) * scale;
  const high = Math.max(2 * height, CONTEXT) * scale;
  const k = clamp(Math.min(pane[0] / seen, pane[1] / high), 1, MOST);
  if (k === 1) return WHOLE;
  const at = (/** @type {0 | 1} */ axis, /** @type {number} */ middle, /** @type {number} */ side) => {
    const [view, long] = [pane[axis], image[axis] * scale * k];
    return (long < view ? (view - long) / 2 : clamp(view / 2 - middle * scale * k, view - long, 0)) - side;
  };
  return { k, x: at(0, boxLeft + width / 2, left), y: at(1, boxTop + height / 2, top) };
}

/**
 * The mask pixel at a place of the pane.
 * @param {Point} place
 * @param {Fit} fitted
 * @param {Zoom} zoom
 * @param {number} reduction image pixels per mask pixel
 * @returns {Point}
 */
export function pixelAt([px, py], { scale, left, top }, { k, x, y }, reduction) {
  const full = scale * k * reduction;
  return [(px - left - x) / full, (py - top - y) / full];
}

/**
 * The place in the pane of a mask pixel.
 * @param {Point} pixel
 * @param {Fit} fitted
 * @param {Zoom} zoom
 * @param {number} reduction
 * @returns {Point}
 */
export function placeOf([x, y], { scale, left, top }, zoom, reduction) {
  const full = scale * zoom.k * reduction;
  return [left + zoom.x + x * full, top + zoom.y + y * full];
}

/**
 * What dragging a placed piece changes.
 * @param {"turn" | "size" | "move"} handle
 * @param {{ x: number, y: number, angle?: any, scale?: any }} placed as it was; x, y: shares of the mask
 * @param {Point} from mask pixels
 * @param {Point} to mask pixels
 * @param {Size} mask its size
 * @param {boolean} coarse turns by 15 degrees
 * @returns {Record<string, number>}
 */
export function dragged(handle, placed, from, to, mask, coarse) {
  const [cx, cy] = [placed.x * mask[0], placed.y * mask[1]];
  if (handle === "turn") {
    const angle = (/** @type {Point} */ [x, y]) => (Math.atan2(y - cy, x - cx) * 180) / Math.PI;
    const turned = ((placed.angle + angle(to) - angle(from) + 540) % 360) - 180;
    return { angle: Math.round(coarse ? Math.round(turned / 15) * 15 : turned) };
  }
  if (handle === "size") {
    const distance = (/** @type {Point} */ [x, y]) => Math.hypot(x - cx, y - cy);
    return { scale: (placed.scale * distance(to)) / Math.max(1, distance(from)) };
  }
  return { x: placed.x + (to[0] - from[0]) / mask[0], y: placed.y + (to[1] - from[1]) / mask[1] };
}
