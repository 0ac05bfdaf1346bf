// A candidate's picture: original and result in one pane with a handle between them, the outline of its mask,
// zoom, and the mask itself while somebody trims it. Knows pictures, pointers and the mask editor. Does not
// know candidates, decisions or the server: what a person slid, painted or zoomed it tells through `told`.

import { drag, drawing, make } from "../shared/dom.js";
import { MaskEditor } from "../shared/mask_editor.js";
import { polygon } from "../shared/words.js";
import { boxOf, clamp, fit, keptInSight, wheeled, WHOLE, zoomTo } from "./geometry.js";
import { hatched, picture, sideNames, splitHandle } from "./layers.js";

/** @typedef {[x: number, y: number][][]} Lines in pixels of the image */
/** @typedef {"" | "eraser" | "brush"} Tool */
/**
 * @typedef {object} Told
 * @property {() => void} painted
 * @property {(share: number) => void} slid
 * @property {(close: boolean) => void} zoomed
 *
 * Addresses of pictures of `width` x `height` pixels, and the outline of the mask.
 * @typedef {{ before: string, after: string, width: number, height: number, outline: Lines }} Pictures
 */

export class CurateView {
  /** @type {import("./geometry.js").Size | null} */
  size = null;
  /** Around the defect. @type {import("./geometry.js").Box | null} */
  box = null;
  /** @type {import("./geometry.js").Zoom} */
  zoom = WHOLE;
  /** Whether the defect is zoomed to. */
  close = true;
  /** Of the pane that shows the original. */
  share = 0.5;
  outlined = true;
  /** @type {Tool} */
  tool = "";
  /** Pixels of the image across the brush. */
  brush = 24;
  /** Whether the original alone is shown. */
  held = false;
  #hatched = "";
  /** @type {[x: number, y: number] | null} */
  #pointer = null;

  /** @param {HTMLElement} view @param {Told} told */
  constructor(view, told) {
    this.view = view;
    this.told = told;
    this.before = picture("cu-before");
    this.after = picture("cu-after");
    this.lines = make("div", { class: "st-outlines" });
    this.hatching = make("div", { class: "cu-hatching" });
    this.canvas = make("canvas", { class: "st-mask", width: 1, height: 1 });
    const layers = [this.before, this.after, this.hatching, this.lines, this.canvas];
    this.stage = make("div", { class: "st-stage" }, ...layers);
    this.split = splitHandle((event) => this.#nudge(event));
    this.names = sideNames();
    this.cursor = make("div", { class: "st-brush", hidden: true });
    this.editor = new MaskEditor(this.canvas, () => told.painted());
    view.replaceChildren(this.stage, ...this.names, this.split, this.cursor);
    view.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    view.addEventListener("pointerdown", (event) => this.#press(event));
    view.addEventListener("pointermove", (event) => this.#hover(event));
    view.addEventListener("pointerleave", () => (this.cursor.hidden = true));
    view.addEventListener("dblclick", (event) => {
      if (!this.tool && event.target !== this.split) told.zoomed(false);
    });
    new ResizeObserver(() => this.frame()).observe(view);
  }

  /** @param {Pictures} pictures */
  show({ before, after, width, height, outline }) {
    if (this.before.getAttribute("src") !== before) this.before.src = before;
    if (this.after.getAttribute("src") !== after) this.after.src = after;
    this.size = [width, height];
    this.setTool("");
    const lines = polygon(outline);
    this.lines.replaceChildren(drawing(width, height, ["", lines], ["", lines]));
    this.box = boxOf(outline);
    this.frame();
  }

  /** Hatch what lies inside lines; none hatches nothing. @param {Lines} lines */
  setLeftOut(lines) {
    const key = JSON.stringify(lines);
    if (!this.size || key === this.#hatched) return;
    this.#hatched = key;
    this.hatching.replaceChildren(hatched(this.size, lines));
    this.move();
  }

  /** @returns {import("./geometry.js").Size} */
  get #pane() {
    return [this.view.clientWidth, this.view.clientHeight];
  }

  /** Pixels of the pane for one of the image, and where its corner lies. */
  #placed() {
    const { scale, left, top } = fit(this.#pane, this.size || [1, 1]);
    const { k, x, y } = this.zoom;
    return { scale: scale * k, left: left + x, top: top + y };
  }

  /** The whole image, or its defect with its surroundings, as `close` says. */
  frame() {
    if (!this.size || !this.view.clientWidth) return;
    this.zoom = this.close && this.box ? zoomTo(this.#pane, this.size, this.box) : WHOLE;
    this.#halve();
    this.move();
  }

  /**
   * The handle through the middle of the defect, so that both sides show some of it; at an edge it stays
   * there.
   */
  #halve() {
    if (!this.box || this.share < 0.15 || this.share > 0.85) return;
    const { scale, left } = this.#placed();
    const middle = left + (this.box[0] + this.box[2] / 2) * scale;
    this.share = clamp(middle / this.view.clientWidth, 0.2, 0.8);
  }

  move() {
    if (!this.size) return;
    const { k } = this.zoom;
    const { scale, left, top } = this.#placed();
    Object.assign(this.stage.style, {
      width: `${(this.size[0] * scale) / k}px`,
      height: `${(this.size[1] * scale) / k}px`,
      transform: `translate(${left}px, ${top}px) scale(${k})`,
    });
    this.stage.classList.toggle("cu-pixels", scale > 4);
    this.lines.querySelectorAll("path").forEach((path, index) => {
      path.style.strokeWidth = `${[3.5, 1.5][index] / k}px`;
    });
    const pattern = this.hatching.querySelector("pattern");
    pattern?.setAttribute("patternTransform", `rotate(45) scale(${2 / scale})`);
    this.cut();
  }

  /** The result is shown to the right of the handle. */
  cut() {
    if (!this.size) return;
    const isWhole = this.held || Boolean(this.tool);
    const { scale, left } = this.#placed();
    const share = this.held ? 1 : this.tool ? 0 : this.share;
    const at = (share * this.view.clientWidth - left) / (this.size[0] * scale);
    this.after.style.clipPath = `inset(0 0 0 ${clamp(at, 0, 1) * 100}%)`;
    this.split.style.left = `${share * 100}%`;
    this.split.hidden = isWhole;
    this.split.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    this.names[0].hidden = share < 0.15;
    this.names[1].hidden = share > 0.85;
    this.hatching.style.display = isWhole ? "none" : "";
    this.lines.style.display = this.outlined && !isWhole ? "" : "none";
    this.canvas.style.display = this.tool ? "" : "none";
    this.view.classList.toggle("st-painting", Boolean(this.tool));
  }

  /** @param {boolean} outlined */
  setOutlined(outlined) {
    this.outlined = outlined;
    this.cut();
  }

  /** @param {boolean} close */
  setClose(close) {
    this.close = close;
    this.frame();
  }

  /** @param {boolean} held */
  setHeld(held) {
    this.held = held;
    this.cut();
  }

  /** @param {Tool} tool */
  setTool(tool) {
    this.tool = tool;
    this.cursor.hidden = true;
    this.cut();
  }

  /** @param {MouseEvent} event @returns {[x: number, y: number]} */
  #place(event) {
    const box = this.view.getBoundingClientRect();
    const border = 1;
    return [event.clientX - box.left - border, event.clientY - box.top - border];
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (!this.size) return;
    event.preventDefault();
    const turned = event.deltaY * (event.deltaMode ? 0.05 / 0.0015 : 1);
    const zoom = wheeled(this.zoom, fit(this.#pane, this.size), this.#place(event), turned);
    this.zoom = keptInSight(zoom, this.#pane, this.size);
    this.move();
    this.#hover(event);
  }

  /** The handle, the brush while a mask is trimmed, else the hand. @param {PointerEvent} event */
  #press(event) {
    if (!this.size) return;
    // Return the focus, so that the page's keys work again.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    if (event.target === this.split && event.button === 0) this.#dragSplit(event);
    else if (this.tool && event.button === 0) this.#paint(event);
    else this.#dragPicture(event, this.size);
  }

  /** @param {PointerEvent} event */
  #dragSplit(event) {
    /** @param {PointerEvent} now */
    const slide = (now) => this.#slide(this.#place(now)[0] / this.view.clientWidth);
    drag(event, slide, () => this.told.slid(this.share));
  }

  /** @param {PointerEvent} event */
  #paint(event) {
    const { editor } = this;
    const radius = ((this.brush / 2) * editor.width) / (this.size?.[0] || 1);
    editor.begin(this.#pixel(event), Math.max(0.5, radius), this.tool === "eraser");
    /** @param {PointerEvent} now */
    const extend = (now) => {
      const points = now.getCoalescedEvents?.() || [];
      editor.extend((points.length ? points : [now]).map((point) => this.#pixel(point)));
    };
    drag(event, extend, () => editor.end());
  }

  /** @param {PointerEvent} event @param {import("./geometry.js").Size} size */
  #dragPicture(event, size) {
    const { x, y } = this.zoom;
    const [fromX, fromY] = [event.clientX, event.clientY];
    this.view.classList.add("st-panning");
    /** @param {PointerEvent} now */
    const pan = (now) => {
      const { k } = this.zoom;
      if (k === 1) return;
      const zoom = { k, x: x + now.clientX - fromX, y: y + now.clientY - fromY };
      this.zoom = keptInSight(zoom, this.#pane, size);
      this.move();
    };
    drag(event, pan, () => this.view.classList.remove("st-panning"));
  }

  /** @param {number} share */
  #slide(share) {
    this.share = clamp(share, 0, 1);
    this.cut();
  }

  /** @param {KeyboardEvent} event */
  #nudge(event) {
    const step = { ArrowLeft: -0.05, ArrowRight: 0.05, Home: -1, End: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#slide(this.share + step);
    this.told.slid(this.share);
  }

  /**
   * Put a mask into the editor.
   * @param {HTMLImageElement} picture
   * @param {number} width
   * @param {number} height
   */
  open(picture, width, height) {
    this.editor.open(width, height);
    this.editor.load(picture);
  }

  /** A place in pixels of the mask. @param {MouseEvent} event @returns {[x: number, y: number]} */
  #pixel(event) {
    const [px, py] = this.#place(event);
    const { scale, left, top } = this.#placed();
    const full = (scale * (this.size?.[0] || 1)) / this.editor.width;
    return [(px - left) / full, (py - top) / full];
  }

  /** @param {MouseEvent} event */
  #hover(event) {
    this.cursor.hidden = !this.tool || !this.size;
    if (this.cursor.hidden) return;
    this.#pointer = this.#place(event);
    this.showBrush();
  }

  showBrush() {
    if (!this.#pointer || !this.size) return;
    const [left, top] = this.#pointer;
    const across = `${Math.max(3, this.brush * this.#placed().scale)}px`;
    const style = { left: `${left}px`, top: `${top}px`, width: across, height: across };
    Object.assign(this.cursor.style, style);
    this.cursor.classList.toggle("st-erasing", this.tool === "eraser");
  }
}
