// The mask that a person paints or places on a picture: strokes with undo, and a piece that is moved, turned and scaled.
// It knows one canvas as large as the picture it lies on, and a pointer in that canvas' pixels. It does not know which
// image or prompt the mask is for, nor how the picture is zoomed: whoever owns it brings the pointer in its pixels.

window.ExddMaskEditor = class {
  static COLOUR = "#4fd8ff"; // the colour of every outline that marks a defect
  static KEPT = 60; // strokes that can be undone

  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.before = document.createElement("canvas"); // the mask as it was when the last stroke ended
    this.open(canvas.width, canvas.height);
  }

  // Begin with an empty mask of this size.
  open(width, height) {
    for (const canvas of [this.canvas, this.before]) Object.assign(canvas, { width, height });
    Object.assign(this, { past: [], future: [], stroke: null, piece: null });
  }

  get width() { return this.canvas.width; }
  get height() { return this.canvas.height; }

  // ---- strokes: a round brush from point to point; what it touched is what undo gives back

  begin([x, y], radius, erase) {
    this.stroke = { radius, erase, last: [x, y], box: null };
    this.extend([[x, y]]);
  }

  extend(points) {
    const { context, stroke } = this;
    context.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
    context.strokeStyle = ExddMaskEditor.COLOUR;
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = 2 * stroke.radius;
    context.beginPath();
    context.moveTo(...stroke.last);
    for (const [x, y] of points) {
      this.#touch(stroke, ...stroke.last);
      this.#touch(stroke, x, y);
      context.lineTo(x, y);
      stroke.last = [x, y];
    }
    context.stroke();
    context.globalCompositeOperation = "source-over";
  }

  end() {
    const { box } = this.stroke;
    this.stroke = null;
    this.#keep(box);
  }

  #touch(stroke, x, y) {
    const reach = stroke.radius + 2, box = stroke.box || [x, y, x, y];
    stroke.box = [Math.min(box[0], x - reach), Math.min(box[1], y - reach), Math.max(box[2], x + reach), Math.max(box[3], y + reach)];
  }

  // Note what a change inside `box` (whole pixels that lie on the canvas) has overwritten.
  #keep([x0, y0, x1, y1]) {
    const left = Math.max(0, Math.floor(x0)), top = Math.max(0, Math.floor(y0));
    const width = Math.min(this.width, Math.ceil(x1)) - left, height = Math.min(this.height, Math.ceil(y1)) - top;
    if (width > 0 && height > 0) {
      this.past.push({ left, top, pixels: this.#old().getImageData(left, top, width, height) });
      if (this.past.length > ExddMaskEditor.KEPT) this.past.shift();
      this.future = [];
      this.#settle(left, top, width, height);
    }
    this.changed();
  }

  #old() { return this.before.getContext("2d", { willReadFrequently: true }); }

  #settle(left, top, width, height) {
    this.#old().putImageData(this.context.getImageData(left, top, width, height), left, top);
  }

  undo() { this.#turn(this.past, this.future); }
  redo() { this.#turn(this.future, this.past); }

  #turn(from, to) {
    const step = from.pop();
    if (!step || this.stroke) return;
    const { left, top, pixels } = step, { width, height } = pixels;
    to.push({ left, top, pixels: this.context.getImageData(left, top, width, height) });
    this.context.putImageData(pixels, left, top);
    this.#settle(left, top, width, height);
    this.changed();
  }

  // A rectangle between two corners, set or erased; its edges lie between pixels.
  rectangle([x0, y0], [x1, y1], erase = false) {
    const { context } = this, [left, right] = [x0, x1].map(Math.round).sort((a, b) => a - b), [top, bottom] = [y0, y1].map(Math.round).sort((a, b) => a - b);
    if (erase) context.clearRect(left, top, right - left, bottom - top);
    else { context.fillStyle = ExddMaskEditor.COLOUR; context.fillRect(left, top, right - left, bottom - top); }
    this.#keep([left, top, right, bottom]);
  }

  // What is set becomes empty and the other way round.
  invert() {
    const { context } = this;
    context.globalCompositeOperation = "xor";
    context.fillStyle = ExddMaskEditor.COLOUR;
    context.fillRect(0, 0, this.width, this.height);
    context.globalCompositeOperation = "source-over";
    this.#keep([0, 0, this.width, this.height]);
  }

  clear() {
    this.context.clearRect(0, 0, this.width, this.height);
    this.#keep([0, 0, this.width, this.height]);
  }

  // Show another mask: a picture that is white (or opaque colour) where it is set, stretched to the canvas.
  // `undoable` keeps what was there, for masks that a person goes on painting.
  load(picture, undoable = false) {
    const { context, width, height } = this;
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, 0, 0, width, height);
    this.#tint();
    if (undoable) { this.#keep([0, 0, width, height]); return; }
    this.past = [];
    this.future = [];
    this.#settle(0, 0, width, height);
  }

  #tint() { // what is set takes the mask's colour
    const { context } = this;
    context.globalCompositeOperation = "source-in";
    context.fillStyle = ExddMaskEditor.COLOUR;
    context.fillRect(0, 0, this.width, this.height);
    context.globalCompositeOperation = "source-over";
  }

  get empty() { return new Uint32Array(this.context.getImageData(0, 0, this.width, this.height).data.buffer).every((pixel) => pixel === 0); }

  // The mask as a PNG's address: opaque where it is set.
  toPng() { return this.canvas.toDataURL("image/png"); }

  // ---- a piece: a mask of its own, placed on this one. x, y: its centre in pixels; angle: degrees clockwise

  place(piece, { x, y, angle, scale, flip }) {
    const { context } = this;
    this.piece = { piece, x, y, angle, scale, flip };
    context.clearRect(0, 0, this.width, this.height);
    context.save();
    context.translate(x, y);
    context.rotate(angle * Math.PI / 180);
    context.scale(flip ? -scale : scale, scale);
    context.imageSmoothingEnabled = true;
    context.drawImage(piece, -piece.width / 2, -piece.height / 2);
    context.restore();
    this.#tint();
  }

  // The corners of the placed piece and the place of the knob that turns it, in pixels.
  frame(knob) {
    const { piece, x, y, angle, scale } = this.piece, turn = angle * Math.PI / 180;
    const at = (dx, dy) => [x + dx * Math.cos(turn) - dy * Math.sin(turn), y + dx * Math.sin(turn) + dy * Math.cos(turn)];
    const half = [piece.width * scale / 2, piece.height * scale / 2];
    return { corners: [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([a, b]) => at(a * half[0], b * half[1])), knob: at(0, -half[1] - knob) };
  }
};
