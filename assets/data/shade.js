// Darkens what lies outside of the region and draws a line around what lies inside. Knows canvases only.

import { MaskEditor } from "../shared/mask_editor.js";

const SHADE = "rgb(10 12 16 / .62)";
/** Width of the line, in pixels of the screen. */
const RIM = 2;
const AROUND = [
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
  [-1, -1],
  [1, -1],
  [-1, 1],
  [1, 1],
];

/**
 * @param {HTMLCanvasElement} shade
 * @param {HTMLCanvasElement | HTMLImageElement | null} layer the region; null clears the shade
 * @param {number} seenWidth of the canvas on the screen
 */
export function drawShade(shade, layer, seenWidth) {
  const { width, height } = shade;
  const context = contextOf(shade);
  context.clearRect(0, 0, width, height);
  if (!layer) return;
  const rim = Math.max(1, Math.round((RIM * width) / (seenWidth || width)));
  const line = lineAround(layer, width, height, rim);
  context.globalCompositeOperation = "source-over";
  context.imageSmoothingEnabled = false;
  context.fillStyle = SHADE;
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "destination-out";
  context.drawImage(layer, 0, 0, width, height);
  context.globalCompositeOperation = "source-over";
  context.drawImage(line, 0, 0);
}

/**
 * @param {HTMLCanvasElement | HTMLImageElement} layer
 * @param {number} width
 * @param {number} height
 * @param {number} rim
 */
function lineAround(layer, width, height, rim) {
  const ring = Object.assign(document.createElement("canvas"), { width, height });
  const context = contextOf(ring);
  context.imageSmoothingEnabled = false;
  for (const [x, y] of AROUND) context.drawImage(layer, x * rim, y * rim, width, height);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = MaskEditor.COLOUR;
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "destination-out";
  context.drawImage(layer, 0, 0, width, height);
  return ring;
}

/** @param {HTMLCanvasElement} canvas */
const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
