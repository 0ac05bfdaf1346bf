// Where the image lies in its panes: how large they are, zoom and pan. Pure: knows no element.
// A place is in pixels of the screen from a pane's corner; a pixel is one of the image.

/**
 * @typedef {[x: number, y: number]} Point
 * @typedef {{ width: number, height: number }} Size
 *
 * Shared by all panes: the enlargement, and how far the image's corner is moved, in pixels of the screen.
 * @typedef {{ k: number, x: number, y: number }} Zoom
 *
 * Where the whole image lies in a pane. scale: pixels of the screen per pixel of the image.
 * @typedef {Size & { left: number, top: number, scale: number }} Fit
 */

/** The whole image. @type {Zoom} */
export const WHOLE = { k: 1, x: 0, y: 0 };

const MOST = 40;
/** Columns of the grid: the four panes with the scale of scores after ExDD, and the scale of differences. */
const SCORES = 3;
const DIFFERENCE = 4;
const DIFFERENCES = 5;

/** @param {number} value @param {number} low @param {number} high */
const clamped = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * Which columns of the grid are visible.
 * @param {number} solo the pane that is shown alone, 1 to 4; 0 for all
 * @param {boolean} isMarking then there is room to draw, and the map that tells where
 * @param {boolean} [isNarrow] there is room for one pane
 */
export function visibleColumns(solo, isMarking, isNarrow = false) {
  if (isMarking) return isNarrow ? [0] : [0, 2, SCORES];
  if (isNarrow && solo === 1) return [0];
  if (!solo) return [0, 1, 2, SCORES, DIFFERENCE, DIFFERENCES];
  const own = solo === 4 ? DIFFERENCE : solo - 1;
  return [own, own === 0 || own === DIFFERENCE ? DIFFERENCES : SCORES];
}

/** Pixels of a pane's head and the edge below it; and of the notes below the panes. */
const EDGES = 44;
const NOTES = 296;
/** The most that panes need before the notes below them get room as well. */
const ENOUGH = 560;

/**
 * The height of the panes: what the image needs at their width, but the whole of it stays on the screen, and where
 * there is room for both the notes below it as well.
 * @param {object} given
 * @param {Size} given.image
 * @param {number} given.width of a pane
 * @param {number} given.top of the panes on the page
 * @param {number} given.screen height of the window
 * @param {boolean} given.isAlone one pane is shown alone, or drawn on
 */
export function paneHeight({ image, width, top, screen, isAlone }) {
  const most = screen - top - (isAlone ? 2 * EDGES : EDGES);
  const room = Math.max(240, isAlone ? most : Math.max(screen - top - NOTES, Math.min(most, ENOUGH)));
  return Math.round(Math.max(176, Math.min((width * image.height) / image.width, room)));
}

/**
 * @param {Size} image
 * @param {Size} pane
 * @returns {Fit}
 */
export function fitted(image, pane) {
  const scale = Math.min(pane.width / image.width, pane.height / image.height);
  const width = image.width * scale;
  const height = image.height * scale;
  return { width, height, scale, left: (pane.width - width) / 2, top: (pane.height - height) / 2 };
}

/**
 * The zoom after the wheel was turned over a place, which stays where it is.
 * @param {Zoom} zoom
 * @param {Fit} fit
 * @param {Point} place
 * @param {number} factor
 * @returns {Zoom}
 */
export function zoomedAt(zoom, fit, [x, y], factor) {
  const k = clamped(zoom.k * factor, 1, MOST);
  if (k === 1) return WHOLE;
  const atX = x - fit.left;
  const atY = y - fit.top;
  return { k, x: atX - ((atX - zoom.x) * k) / zoom.k, y: atY - ((atY - zoom.y) * k) / zoom.k };
}

/**
 * The zoom, moved so that at least a quarter of the pane shows the image.
 * @param {Zoom} zoom
 * @param {Fit} fit
 * @param {Size} pane
 * @returns {Zoom}
 */
export function keptInSight({ k, x, y }, fit, pane) {
  return {
    k,
    x: clamped(x, pane.width / 4 - fit.left - fit.width * k, (pane.width * 3) / 4 - fit.left),
    y: clamped(y, pane.height / 4 - fit.top - fit.height * k, (pane.height * 3) / 4 - fit.top),
  };
}

/** A box fills at most this share of a pane that is zoomed to it. */
const FILLED = 1 / 3;
/** Pixels of the image beside each other that are then seen at least: a speck shows where it lies. */
const LEAST = 64;

/**
 * The zoom that shows a box of the image, (x0, y0, x1, y1), in the middle of the pane where that shows nothing outside the
 * image.
 * @param {[x0: number, y0: number, x1: number, y1: number]} box
 * @param {Fit} fit
 * @param {Size} pane
 * @returns {Zoom}
 */
export function zoomedTo([x0, y0, x1, y1], fit, pane) {
  const seen = (/** @type {number} */ size) => Math.max(size / FILLED, LEAST) * fit.scale;
  const k = clamped(Math.min(pane.width / seen(x1 - x0), pane.height / seen(y1 - y0)), 1, MOST);
  if (k === 1) return WHOLE;
  /** @param {number} view @param {number} whole size of the unzoomed image @param {number} middle of the box */
  const at = (view, whole, middle) =>
    whole * k < view
      ? (view - whole * k) / 2
      : clamped(view / 2 - middle * fit.scale * k, view - whole * k, 0);
  return {
    k,
    x: at(pane.width, fit.width, (x0 + x1) / 2) - fit.left,
    y: at(pane.height, fit.height, (y0 + y1) / 2) - fit.top,
  };
}

/**
 * The pixel of the image at a place, not rounded.
 * @param {Point} place
 * @param {Fit} fit
 * @param {Zoom} zoom
 * @returns {Point}
 */
export function pixelAt([x, y], fit, zoom) {
  const full = fit.scale * zoom.k;
  return [(x - fit.left - zoom.x) / full, (y - fit.top - zoom.y) / full];
}

/**
 * The place of the centre of a pixel.
 * @param {{ x: number, y: number }} pixel
 * @param {Fit} fit
 * @param {Zoom} zoom
 * @returns {Point}
 */
export function placeOf({ x, y }, fit, zoom) {
  const full = fit.scale * zoom.k;
  return [fit.left + zoom.x + (x + 0.5) * full, fit.top + zoom.y + (y + 0.5) * full];
}
