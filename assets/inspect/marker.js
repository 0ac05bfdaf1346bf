// Drawing on the first pane: a mask, a brush, and the keys for both. Knows that pane's stage, the mask editor
// and a pointer in pixels of the image. Does not know banks, scores or the server: what a person keeps it
// gives to `keep`.

import { drag, make } from "../shared/dom.js";
import { MaskEditor } from "../shared/mask_editor.js";
import { barOf, showBar, typed } from "./mark_bar.js";

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./state.js").Marking} Marking
 *
 * What is kept. layer: address of the mask's picture, "" where what was proposed was left as it is.
 * @typedef {{ action: Marking["action"], who: string, type: string, layer: string }} Kept
 *
 * The image that is drawn on. size: in its own pixels; shown: in those of its picture.
 * @typedef {object} Ground
 * @property {HTMLElement} view
 * @property {HTMLElement} stage
 * @property {[width: number, height: number]} size
 * @property {[width: number, height: number]} shown
 * @property {string[]} types of defects that are known
 * @property {string} type of the defect, "" where it is not known
 * @property {boolean} hasTruth whether the data set has its outline
 */

export class Marker {
  /**
   * @param {HTMLElement} bar
   * @param {{ keep: (kept: Kept) => Promise<unknown>, leave: () => void, truth: () => unknown }} told
   */
  constructor(bar, told) {
    this.bar = bar;
    this.told = told;
    this.canvas = make("canvas", { class: "vw-drawn", width: 1, height: 1 });
    this.cursor = make("div", { class: "vw-brush", hidden: true });
    this.editor = new MaskEditor(this.canvas, () => this.show());
    /** @type {Marking | null} */
    this.marking = null;
    /** @type {Ground | null} */
    this.ground = null;
    /** @type {"brush" | "eraser"} */
    this.tool = "brush";
    /** Diameter of the brush in pixels of the image; 0 until an image is drawn on. */
    this.brush = 0;
    this.isBusy = false;
  }

  /** Whether there is something to keep. */
  get isReady() {
    return !this.isBusy && Boolean(this.marking?.layer || this.editor.past.length);
  }

  /** @param {Marking} marking @param {Ground} ground */
  begin(marking, ground) {
    const longest = Math.max(...ground.size);
    Object.assign(this, { marking, ground, tool: "brush", isBusy: false });
    this.brush ||= Math.max(4, Math.round(longest / 40));
    this.editor.open(...ground.shown);
    if (marking.layer) this.editor.load(marking.layer);
    // Take the focus from the button that was clicked before, so that Enter keeps the mark.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    ground.stage.append(this.canvas);
    ground.view.append(this.cursor);
    ground.view.classList.add("vw-marking");
    this.bar.replaceChildren(...barOf(this, marking, ground, Math.max(8, Math.round(longest / 6))));
    this.bar.hidden = false;
    this.show();
  }

  end() {
    if (!this.ground) return;
    this.ground.view.classList.remove("vw-marking");
    this.marking = this.ground = null;
    this.canvas.remove();
    this.cursor.remove();
    this.bar.hidden = true;
    this.bar.replaceChildren();
  }

  show() {
    if (this.marking) showBar(this, this.marking);
  }

  /** @param {"brush" | "eraser"} tool */
  pick(tool) {
    this.tool = tool;
    this.cursor.classList.toggle("vw-erasing", tool === "eraser");
    this.show();
  }

  /** @param {number} size */
  resize(size) {
    this.brush = Math.max(1, Math.round(size));
    this.show();
  }

  /** Give what was drawn to whoever asked for it. */
  async keep() {
    if (!this.marking || !this.isReady) return;
    const { action, layer } = this.marking;
    const { who, type } = typed(this.bar);
    if (!who) return;
    this.isBusy = true;
    this.show();
    try {
      const isAsGiven = layer && !this.marking?.isTrue && !this.editor.past.length;
      await this.told.keep({ action, who, type, layer: isAsGiven ? "" : this.editor.toPng() });
    } finally {
      this.isBusy = false;
      this.show();
    }
  }

  // ---- the brush

  /**
   * Paint from a press until the pointer is released.
   * @param {PointerEvent} event
   * @param {(event: PointerEvent) => Point} at the pointer in pixels of the image
   */
  press(event, at) {
    if (!this.ground) return;
    const { editor } = this;
    const { size } = this.ground;
    const fit = editor.width / size[0];
    const pixel = (/** @type {PointerEvent} */ now) => {
      const [x, y] = at(now);
      return /** @type {Point} */ ([x * fit, y * fit]);
    };
    // Return the focus, so that the viewer's keys work again.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    editor.begin(pixel(event), Math.max(0.5, (this.brush / 2) * fit), this.tool === "eraser");
    const draw = (/** @type {PointerEvent} */ now) => {
      const points = now.getCoalescedEvents?.() || [];
      editor.extend((points.length ? points : [now]).map(pixel));
    };
    drag(event, draw, () => editor.end());
  }

  /**
   * Show the brush under the pointer.
   * @param {Point} place in the view
   * @param {number} scale pixels of the screen per pixel of the image
   */
  hover([x, y], scale) {
    const across = `${Math.max(3, this.brush * scale)}px`;
    this.cursor.hidden = false;
    Object.assign(this.cursor.style, { left: `${x}px`, top: `${y}px`, width: across, height: across });
  }

  /**
   * A key pressed while the image is drawn on; whether it was for us.
   * @param {KeyboardEvent} event
   */
  key(event) {
    const pressed = event.key.toLowerCase();
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && pressed === "z") {
      if (event.shiftKey) this.editor.redo();
      else this.editor.undo();
      return true;
    }
    const action = this.#keys[pressed];
    const isOnButton = event.target instanceof Element && Boolean(event.target.closest("button"));
    if (isCommand || event.altKey || !action || (pressed === "enter" && isOnButton)) return false;
    action();
    return true;
  }

  /** @type {Record<string, () => unknown>} */
  #keys = {
    b: () => this.pick("brush"),
    e: () => this.pick("eraser"),
    "[": () => this.resize(Math.min(this.brush - 1, this.brush / 1.25)),
    "]": () => this.resize(Math.max(this.brush + 1, this.brush * 1.25)),
    enter: () => this.keep(),
    escape: () => this.told.leave(),
  };
}
