// A candidate as the Curate page shows it: original and result in one pane with a handle between them, the outline of
// its mask, zoom, and the mask itself while somebody trims it. It knows pictures, pointers and the mask editor. It does
// not know candidates, decisions or the server: what a person slid or painted it tells through the functions in `told`.

window.ExddCurateView = class {
  static AROUND = 12; // pixels around the whole image
  static CONTEXT = 2.4; // the view zoomed to a defect is so many times as large as it

  constructor(view, told) {
    const { make } = exddParts;
    this.view = view;
    this.told = told;
    this.before = make("img", { class: "cu-before", alt: "", draggable: "false" });
    this.after = make("img", { class: "cu-after", alt: "", draggable: "false" });
    this.lines = make("div", { class: "st-outlines" });
    this.hatching = make("div", { class: "cu-hatching" });
    this.canvas = make("canvas", { class: "st-mask", width: 1, height: 1 });
    this.stage = make("div", { class: "st-stage" }, this.before, this.after, this.hatching, this.lines, this.canvas);
    this.split = make("div", { class: "st-split", role: "slider", tabindex: "0", "aria-label": "Share of the pane that shows the original", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "50",
      onkeydown: (event) => this.#nudge(event) });
    this.names = [make("span", { class: "st-side st-before" }, "Original"), make("span", { class: "st-side st-after" }, "Painted")];
    this.cursor = make("div", { class: "st-brush", hidden: true });
    this.editor = new ExddMaskEditor(this.canvas, () => told.painted());
    view.replaceChildren(this.stage, ...this.names, this.split, this.cursor);
    Object.assign(this, { size: null, box: null, zoom: { k: 1, x: 0, y: 0 }, close: true, share: 0.5, outlined: true, tool: "", brush: 24, held: false });
    view.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    view.addEventListener("pointerdown", (event) => this.#press(event));
    view.addEventListener("pointermove", (event) => this.#hover(event));
    view.addEventListener("pointerleave", () => { this.cursor.hidden = true; });
    view.addEventListener("dblclick", (event) => { if (!this.tool && event.target !== this.split) told.zoomed(false); });
    new ResizeObserver(() => this.frame()).observe(view);
  }

  // before, after: addresses of pictures of `width` x `height` pixels; outline: lines in those pixels.
  show({ before, after, width, height, outline }) {
    for (const [picture, address] of [[this.before, before], [this.after, after]]) {
      if (picture.getAttribute("src") !== address) picture.src = address;
    }
    this.size = [width, height];
    this.stop();
    this.setLines(outline);
    this.frame();
  }

  setLines(outline) {
    const [width, height] = this.size, lines = exddParts.polygon(outline), points = outline.flat();
    this.lines.replaceChildren(exddParts.drawing(width, height, ["", lines], ["", lines]));
    const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
    const least = (values) => values.reduce((a, b) => Math.min(a, b)), most = (values) => values.reduce((a, b) => Math.max(a, b));
    this.box = points.length ? [least(xs), least(ys), most(xs) - least(xs) + 1, most(ys) - least(ys) + 1] : null;
  }

  // Lines around what is to be hatched, in pixels of the image; none hatches nothing.
  setLeftOut(lines) {
    const key = JSON.stringify(lines);
    if (!this.size || key === this.hatched) return;
    this.hatched = key;
    const [width, height] = this.size, drawing = exddParts.drawing(width, height, ["cu-hatched", exddParts.polygon(lines)]);
    drawing.insertAdjacentHTML("afterbegin", '<pattern id="cu-hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2" height="4" /></pattern>');
    this.hatching.replaceChildren(drawing);
    this.move();
  }

  // ---- geometry

  fit() {
    const { clientWidth: width, clientHeight: height } = this.view, around = 2 * ExddCurateView.AROUND;
    const scale = Math.min((width - around) / this.size[0], (height - around) / this.size[1]);
    return { scale, left: (width - this.size[0] * scale) / 2, top: (height - this.size[1] * scale) / 2 };
  }

  // The whole image, or its defect with its surroundings, as `close` says.
  frame() {
    if (!this.size || !this.view.clientWidth) return;
    this.zoom = { k: 1, x: 0, y: 0 };
    if (this.close && this.box) {
      const { clientWidth, clientHeight } = this.view, fit = this.fit(), [left, top, width, height] = this.box, wide = ExddCurateView.CONTEXT * fit.scale;
      const k = Math.min(24, Math.max(1, Math.min(clientWidth / (width * wide), clientHeight / (height * wide))));
      const at = (start, length, view, side, whole) => { // no more beside the image than there has to be
        const long = whole * fit.scale * k, wanted = view / 2 - (start + length / 2) * fit.scale * k;
        return (long < view ? (view - long) / 2 : Math.min(0, Math.max(view - long, wanted))) - side;
      };
      if (k > 1) this.zoom = { k, x: at(left, width, clientWidth, fit.left, this.size[0]), y: at(top, height, clientHeight, fit.top, this.size[1]) };
    }
    this.#halve();
    this.move();
  }

  // The handle through the middle of the defect, so that both sides show some of it; left at an edge it stays there.
  #halve() {
    if (!this.box || this.share < 0.15 || this.share > 0.85) return;
    const { scale, left } = this.fit(), { k, x } = this.zoom, middle = this.box[0] + this.box[2] / 2;
    this.share = Math.min(0.8, Math.max(0.2, (left + x + middle * scale * k) / this.view.clientWidth));
  }

  move() {
    const { scale, left, top } = this.fit(), { k, x, y } = this.zoom;
    Object.assign(this.stage.style, { width: `${this.size[0] * scale}px`, height: `${this.size[1] * scale}px`, transform: `translate(${left + x}px, ${top + y}px) scale(${k})` });
    this.stage.classList.toggle("cu-pixels", scale * k > 4);
    this.lines.querySelectorAll("path").forEach((path, index) => { path.style.strokeWidth = `${[3.5, 1.5][index] / k}px`; });
    this.hatching.querySelector("pattern")?.setAttribute("patternTransform", `rotate(45) scale(${2 / (scale * k)})`);
    this.cut();
  }

  cut() { // the result is shown to the right of the handle
    if (!this.size) return;
    const { scale, left } = this.fit(), { k, x } = this.zoom, share = this.held ? 1 : this.tool ? 0 : this.share;
    const at = (share * this.view.clientWidth - left - x) / (this.size[0] * scale * k);
    this.after.style.clipPath = `inset(0 0 0 ${Math.min(1, Math.max(0, at)) * 100}%)`;
    this.split.style.left = `${share * 100}%`;
    this.split.hidden = Boolean(this.held || this.tool);
    this.split.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    this.names[0].hidden = share < 0.15;
    this.names[1].hidden = share > 0.85;
    this.hatching.style.display = this.tool || this.held ? "none" : "";
    this.lines.style.display = this.outlined && !this.tool && !this.held ? "" : "none";
    this.canvas.style.display = this.tool ? "" : "none";
    this.view.classList.toggle("st-painting", Boolean(this.tool));
  }

  setOutlined(outlined) { this.outlined = outlined; this.cut(); }
  setClose(close) { this.close = close; this.frame(); }
  setHeld(held) { this.held = held; this.cut(); }

  #place(event) {
    const box = this.view.getBoundingClientRect();
    return [event.clientX - box.left - 1, event.clientY - box.top - 1]; // 1: the border
  }

  #wheel(event) {
    if (!this.size) return;
    event.preventDefault();
    const { zoom } = this, { left, top } = this.fit(), [px, py] = this.#place(event);
    const k = Math.min(40, Math.max(1, zoom.k * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015))));
    if (k === 1) this.zoom = { k: 1, x: 0, y: 0 };
    else this.zoom = { k, x: px - left - (px - left - zoom.x) * k / zoom.k, y: py - top - (py - top - zoom.y) * k / zoom.k };
    this.#keepInSight();
    this.move();
    this.#hover(event);
  }

  #keepInSight() { // at least a quarter of the pane still shows the image
    const { zoom } = this, { scale, left, top } = this.fit(), clamp = (value, low, high) => Math.min(Math.max(value, low), high);
    if (zoom.k === 1) return;
    zoom.x = clamp(zoom.x, this.view.clientWidth / 4 - left - this.size[0] * scale * zoom.k, this.view.clientWidth * 3 / 4 - left);
    zoom.y = clamp(zoom.y, this.view.clientHeight / 4 - top - this.size[1] * scale * zoom.k, this.view.clientHeight * 3 / 4 - top);
  }

  // ---- pointers: the handle, the brush while a mask is trimmed, else the hand

  #press(event) {
    if (!this.size) return;
    document.activeElement?.blur?.(); // so that keys are the page's again
    if (event.target === this.split && event.button === 0) {
      exddParts.drag(event, (now) => this.#slide(this.#place(now)[0] / this.view.clientWidth), () => this.told.slid(this.share));
    } else if (this.tool && event.button === 0) {
      const { editor } = this;
      editor.begin(this.#pixel(event), Math.max(0.5, this.brush / 2 * this.editor.width / this.size[0]), this.tool === "eraser");
      exddParts.drag(event, (now) => {
        const points = now.getCoalescedEvents?.() || [];
        editor.extend((points.length ? points : [now]).map((point) => this.#pixel(point)));
      }, () => editor.end());
    } else {
      const from = { ...this.zoom }, start = [event.clientX, event.clientY];
      this.view.classList.add("st-panning");
      exddParts.drag(event, (now) => {
        if (this.zoom.k === 1) return;
        Object.assign(this.zoom, { x: from.x + now.clientX - start[0], y: from.y + now.clientY - start[1] });
        this.#keepInSight();
        this.move();
      }, () => this.view.classList.remove("st-panning"));
    }
  }

  #slide(share) { this.share = Math.min(1, Math.max(0, share)); this.cut(); }

  #nudge(event) {
    const step = { ArrowLeft: -0.05, ArrowRight: 0.05, Home: -1, End: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#slide(this.share + step);
    this.told.slid(this.share);
  }

  // ---- trimming

  trim(picture, width, height) {
    this.editor.open(width, height);
    this.editor.load(picture);
    this.setTool("eraser");
  }

  stop() { this.setTool(""); }
  setTool(tool) { this.tool = tool; this.cursor.hidden = true; this.cut(); }

  #pixel(event) { // of the mask
    const [px, py] = this.#place(event), { scale, left, top } = this.fit(), { k, x, y } = this.zoom, full = scale * k * this.size[0] / this.editor.width;
    return [(px - left - x) / full, (py - top - y) / full];
  }

  #hover(event) {
    this.cursor.hidden = !this.tool || !this.size;
    if (this.cursor.hidden) return;
    this.pointer = this.#place(event);
    this.showBrush();
  }

  showBrush() {
    if (!this.pointer || !this.size) return;
    const across = Math.max(3, this.brush * this.fit().scale * this.zoom.k);
    Object.assign(this.cursor.style, { left: `${this.pointer[0]}px`, top: `${this.pointer[1]}px`, width: `${across}px`, height: `${across}px` });
    this.cursor.classList.toggle("st-erasing", this.tool === "eraser");
  }
};
