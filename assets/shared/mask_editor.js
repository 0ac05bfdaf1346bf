// The mask that a person paints or places on a picture: strokes with undo, and a piece that is moved,
// turned and scaled. Knows one canvas as large as the picture it lies on, and a pointer in that canvas'
// pixels. Does not know which image or prompt the mask is for, nor how the picture is zoomed: its owner
// brings the pointer in its pixels.

/**
 * @typedef {[x: number, y: number]} Point in pixels of the canvas
 * @typedef {[x0: number, y0: number, x1: number, y1: number]} Bounds
 * @typedef {{ radius: number, erase: boolean, last: Point, box: Bounds | null }} Stroke
 *
 * What a change has overwritten; `given` is the owner's own note on it.
 * @typedef {{ left: number, top: number, pixels: ImageData, given?: any }} Step
 *
 * Where a piece lies. x, y: its centre in pixels; angle: degrees clockwise; scale: canvas pixels
 * per pixel of it.
 * @typedef {{ x: number, y: number, angle: number, scale: number, flip?: boolean }} Placement
 * @typedef {HTMLImageElement | HTMLCanvasElement} Picture
 */

/** @param {HTMLCanvasElement} canvas */
const contextOf = (canvas) =>
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));

export class MaskEditor {
  /** The colour of every outline that marks a defect, from theme.css. */
  static get COLOUR() {
    return getComputedStyle(document.documentElement).getPropertyValue("--defect").trim();
  }

  /** Strokes that can be undone. */
  static KEPT = 60;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} changed called when the mask was painted on, undone or redone
   */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.context = contextOf(canvas);
    /** The mask as it was when the last stroke ended. */
    this.before = document.createElement("canvas");
    /** @type {Step[]} */
    this.past = [];
    /** @type {Step[]} */
    this.future = [];
    /** @type {Stroke | null} */
    this.stroke = null;
    /** @type {(Placement & { piece: Picture }) | null} */
    this.piece = null;
    this.open(canvas.width, canvas.height);
  }

  /**
   * Begin with an empty mask of this size.
   * @param {number} width
   * @param {number} height
   */
  open(width, height) {
    for (const canvas of [this.canvas, this.before]) Object.assign(canvas, { width, height });
    this.past = [];
    this.future = [];
    this.stroke = null;
    this.piece = null;
  }

  get width() {
    return this.canvas.width;
  }

  get height() {
    return this.canvas.height;
  }

  // ---- strokes: a round brush from point to point; a thin one begins amid a pixel, to cover half of it

  /** @param {Point} point @param {number} radius @param {boolean} erase */
  begin([x, y], radius, erase) {
    const last = /** @type {Point} */ (radius > 1 ? [x, y] : [x, y].map((at) => Math.floor(at) + 0.5));
    this.stroke = { radius, erase, last, box: null };
    this.extend([[last[0] + 0.01, last[1]]]); // a canvas draws nothing of a line without a length
  }

  /** @param {Point[]} points */
  extend(points) {
    const { context, stroke } = this;
    if (!stroke) return;
    context.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
    context.strokeStyle = MaskEditor.COLOUR;
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = 2 * stroke.radius;
    context.beginPath();
    context.moveTo(...stroke.last);
    for (const [x, y] of points) {
      this.#touch(stroke, stroke.last);
      this.#touch(stroke, [x, y]);
      context.lineTo(x, y);
      stroke.last = [x, y];
    }
    context.stroke();
    context.globalCompositeOperation = "source-over";
  }

  end() {
    const box = this.stroke?.box;
    this.stroke = null;
    if (box) this.#keep(box);
  }

  /** @param {Stroke} stroke @param {Point} point */
  #touch(stroke, [x, y]) {
    const reach = stroke.radius + 2;
    const [x0, y0, x1, y1] = stroke.box || [x, y, x, y];
    stroke.box = [
      Math.min(x0, x - reach),
      Math.min(y0, y - reach),
      Math.max(x1, x + reach),
      Math.max(y1, y + reach),
    ];
  }

  /**
   * Note what a change inside a box has overwritten, in whole pixels that lie on the canvas.
   * @param {Bounds} box
   */
  #keep([x0, y0, x1, y1]) {
    const left = Math.max(0, Math.floor(x0));
    const top = Math.max(0, Math.floor(y0));
    const width = Math.min(this.width, Math.ceil(x1)) - left;
    const height = Math.min(this.height, Math.ceil(y1)) - top;
    if (width > 0 && height > 0) {
      this.past.push({ left, top, pixels: contextOf(this.before).getImageData(left, top, width, height) });
      if (this.past.length > MaskEditor.KEPT) this.past.shift();
      this.future = [];
      this.#settle(left, top, width, height);
    }
    this.changed();
  }

  /** @param {number} left @param {number} top @param {number} width @param {number} height */
  #settle(left, top, width, height) {
    contextOf(this.before).putImageData(this.context.getImageData(left, top, width, height), left, top);
  }

  undo() {
    this.#turn(this.past, this.future);
  }

  redo() {
    this.#turn(this.future, this.past);
  }

  /** @param {Step[]} from @param {Step[]} to */
  #turn(from, to) {
    const step = this.stroke ? undefined : from.pop();
    if (!step) return;
    const { left, top, pixels } = step;
    const { width, height } = pixels;
    to.push({ left, top, pixels: this.context.getImageData(left, top, width, height) });
    this.context.putImageData(pixels, left, top);
    this.#settle(left, top, width, height);
    this.changed();
  }

  // ---- the whole mask

  /**
   * A rectangle between two corners, set or erased; its edges lie between pixels.
   * @param {Point} from
   * @param {Point} to
   */
  rectangle([x0, y0], [x1, y1], erase = false) {
    const { context } = this;
    const [left, right] = [x0, x1].map(Math.round).sort((a, b) => a - b);
    const [top, bottom] = [y0, y1].map(Math.round).sort((a, b) => a - b);
    context.fillStyle = MaskEditor.COLOUR;
    if (erase) context.clearRect(left, top, right - left, bottom - top);
    else context.fillRect(left, top, right - left, bottom - top);
    this.#keep([left, top, right, bottom]);
  }

  /** Set what lies within a closed line. @param {Point[]} corners */
  polygon(corners) {
    const { context } = this;
    context.fillStyle = MaskEditor.COLOUR;
    context.beginPath();
    for (const [x, y] of corners) context.lineTo(x, y);
    context.fill();
    this.#keep([0, 0, this.width, this.height]);
  }

  /**
   * Replace the mask by what a function of `mask_shapes.js` makes of it.
   * @param {(mask: Uint8Array, width: number, height: number) => ArrayLike<number>} change
   */
  reshape(change) {
    const { context, width, height } = this;
    const picture = context.getImageData(0, 0, width, height);
    const pixels = new Uint32Array(picture.data.buffer);
    const changed = change(
      Uint8Array.from(pixels, (pixel) => pixel >>> 31),
      width,
      height,
    );
    for (let at = 0; at < pixels.length; at++) pixels[at] = changed[at] ? 0xffffffff : 0;
    context.putImageData(picture, 0, 0);
    this.#fill("source-in");
    this.#keep([0, 0, width, height]);
  }

  /** What is set becomes empty and the other way round. */
  invert() {
    this.#fill("xor");
    this.#keep([0, 0, this.width, this.height]);
  }

  clear() {
    this.context.clearRect(0, 0, this.width, this.height);
    this.#keep([0, 0, this.width, this.height]);
  }

  /**
   * Show another mask: a picture that is white (or opaque colour) where it is set, stretched to the canvas.
   * @param {Picture} picture
   * @param {boolean} [undoable] keeps what was there, for masks that a person goes on painting
   */
  load(picture, undoable = false) {
    const { context, width, height } = this;
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, 0, 0, width, height);
    this.#fill("source-in");
    if (undoable) {
      this.#keep([0, 0, width, height]);
      return;
    }
    this.past = [];
    this.future = [];
    this.#settle(0, 0, width, height);
  }

  /**
   * Fill the canvas with the mask's colour: "source-in" colours what is set, "xor" inverts it.
   * @param {GlobalCompositeOperation} operation
   */
  #fill(operation) {
    const { context } = this;
    context.globalCompositeOperation = operation;
    context.fillStyle = MaskEditor.COLOUR;
    context.fillRect(0, 0, this.width, this.height);
    context.globalCompositeOperation = "source-over";
  }

  get empty() {
    const { data } = this.context.getImageData(0, 0, this.width, this.height);
    return new Uint32Array(data.buffer).every((pixel) => pixel === 0);
  }

  /** The mask as a PNG's address: opaque where it is set. */
  toPng() {
    return this.canvas.toDataURL("image/png");
  }

  // ---- a piece: another mask, placed on this one

  /** @param {Picture} piece @param {Placement} placement */
  place(piece, { x, y, angle, scale, flip }) {
    const { context } = this;
    this.piece = { piece, x, y, angle, scale, flip };
    context.clearRect(0, 0, this.width, this.height);
    context.save();
    context.translate(x, y);
    context.rotate((angle * Math.PI) / 180);
    context.scale(flip ? -scale : scale, scale);
    context.imageSmoothingEnabled = true;
    context.drawImage(piece, -piece.width / 2, -piece.height / 2);
    context.restore();
    this.#fill("source-in");
  }

  /**
   * The corners of the placed piece, and of the knob that turns it, `knob` pixels above the upper edge.
   * @param {number} knob
   * @returns {{ corners: Point[], knob: Point } | null} null where no piece is placed
   */
  frame(knob) {
    if (!this.piece) return null;
    const { piece, x, y, angle, scale } = this.piece;
    const turn = (angle * Math.PI) / 180;
    /** @param {number} dx @param {number} dy @returns {Point} */
    const at = (dx, dy) => [
      x + dx * Math.cos(turn) - dy * Math.sin(turn),
      y + dx * Math.sin(turn) + dy * Math.cos(turn),
    ];
    const across = (piece.width * scale) / 2;
    const down = (piece.height * scale) / 2;
    const corners = [at(-across, -down), at(across, -down), at(across, down), at(-across, down)];
    return { corners, knob: at(0, -down - knob) };
  }
}
