// Where a picture lies in its pane. Pure: places in pixels of the pane, zoomed by k around its whole view.

/** @typedef {[width: number, height: number]} Size */
/** @typedef {[left: number, top: number, width: number, height: number]} Box in pixels of the picture */
/** @typedef {{ scale: number, left: number, top: number }} Fit the whole picture in the middle of the pane */
/** @typedef {{ k: number, x: number, y: number }} Zoom */

// Pixels around the whole image.
const AROUND = 12;
// The view zoomed to a defect is so many times as large as it.
const CONTEXT = 2.4;
// And shows at least so many pixels of the picture: a defect of 3 x 4 pixels alone says nothing.
const LEAST = 64;
const MOST = 24;
const MOST_BY_WHEEL = 40;

export const WHOLE = { k: 1, x: 0, y: 0 };

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** @param {Size} pane @param {Size} size @returns {Fit} */
export function fit([width, height], size) {
  const scale = Math.min((width - 2 * AROUND) / size[0], (height - 2 * AROUND) / size[1]);
  return { scale, left: (width - size[0] * scale) / 2, top: (height - size[1] * scale) / 2 };
}

/**
 * The box around all points of lines, or null where there are none.
 * @param {[x: number, y: number][][]} lines
 */
export function boxOf(lines) {
  const points = lines.flat();
  if (!points.length) return null;
  const least = [0, 1].map((axis) => points.reduce((low, point) => Math.min(low, point[axis]), Infinity));
  const most = [0, 1].map((axis) => points.reduce((high, point) => Math.max(high, point[axis]), -Infinity));
  return /** @type {Box} */ ([least[0], least[1], most[0] - least[0] + 1, most[1] - least[1] + 1]);
}

/**
 * The zoom that shows a box with its surroundings, with as little as possible outside the image.
 * @param {Size} pane
 * @param {Size} size
 * @param {Box} box
 * @returns {Zoom}
 */
export function zoomTo(pane, size, box) {
  const { scale, left, top } = fit(pane, size);
  /** @param {2 | 3} side */
  const seen = (side) => Math.max(box[side] * CONTEXT, LEAST) * scale;
  const k = clamp(Math.min(pane[0] / seen(2), pane[1] / seen(3)), 1, MOST);
  if (k === 1) return WHOLE;
  /** @param {0 | 1} axis @param {number} side */
  const at = (axis, side) => {
    const [view, long] = [pane[axis], size[axis] * scale * k];
    const wanted = view / 2 - (box[axis] + box[axis + 2] / 2) * scale * k;
    return (long < view ? (view - long) / 2 : clamp(wanted, view - long, 0)) - side;
  };
  return { k, x: at(0, left), y: at(1, top) };
}

/**
 * The zoom after the wheel was turned: what lies below the pointer stays there.
 * @param {Zoom} zoom
 * @param {Fit} fit
 * @param {[x: number, y: number]} pointer
 * @param {number} turned in pixels, away from the picture
 * @returns {Zoom}
 */
export function wheeled(zoom, { left, top }, [px, py], turned) {
  const k = clamp(zoom.k * Math.exp(-turned * 0.0015), 1, MOST_BY_WHEEL);
  if (k === 1) return WHOLE;
  const by = k / zoom.k;
  return { k, x: px - left - (px - left - zoom.x) * by, y: py - top - (py - top - zoom.y) * by };
}

/**
 * At least a quarter of the pane still shows the image.
 * @param {Zoom} zoom
 * @param {Size} pane
 * @param {Size} size
 */
export function keptInSight(zoom, pane, size) {
  if (zoom.k === 1) return zoom;
  const { scale, left, top } = fit(pane, size);
  /** @param {0 | 1} axis @param {number} value @param {number} side */
  const kept = (axis, value, side) =>
    clamp(value, pane[axis] / 4 - side - size[axis] * scale * zoom.k, (pane[axis] * 3) / 4 - side);
  return { k: zoom.k, x: kept(0, zoom.x, left), y: kept(1, zoom.y, top) };
}
