// The Studio's two panes: the mask on its normal image, and a result beside its original; both zoom and pan together.
// It knows pictures, pointers and the mask editor. It does not know prompts, engines or the server: what a person did
// to the mask it tells through the functions in `told`.

window.ExddPanes = class {
  static AROUND = 12; // pixels around the whole image: a brush begins beyond its edge

  constructor(root, told) {
    const { make, drawing, polygon } = exddParts;
    Object.assign(this, { told, make, drawing, polygon });
    const view = (name) => root.querySelector(`[data-pane=${name}]`);
    this.root = root.querySelector(".st-panes");
    this.mask = { view: view("mask"), stage: view("mask").querySelector(".st-stage"), size: null };
    this.result = { view: view("result"), stage: null, size: null };
    this.base = this.mask.stage.querySelector(".st-base");
    this.frame = this.mask.view.querySelector(".st-frame");
    this.cursor = this.mask.view.querySelector(".st-brush");
    this.editor = new ExddMaskEditor(this.mask.stage.querySelector(".st-mask"), () => told.painted());
    Object.assign(this, { tool: "none", brush: 24, zoom: { k: 1, x: 0, y: 0 }, share: 0.08, outlined: false, space: false });
    for (const pane of [this.mask, this.result]) {
      pane.view.addEventListener("wheel", (event) => this.#wheel(pane, event), { passive: false });
      pane.view.addEventListener("contextmenu", (event) => event.preventDefault());
    }
    this.mask.view.addEventListener("pointerdown", (event) => this.#press(event));
    this.mask.view.addEventListener("pointermove", (event) => this.#hover(event));
    this.mask.view.addEventListener("pointerleave", () => { this.cursor.hidden = true; });
    this.result.view.addEventListener("pointerdown", (event) => {
      if (event.target.closest(".st-split")) this.#drag(event, () => this.#slide(event), (now) => this.#slide(now), () => told.slid(this.share));
      else if (!event.target.closest("button, a")) this.#pan(event);
    });
    this.result.view.addEventListener("dblclick", () => this.reset());
    new ResizeObserver(() => this.layout()).observe(this.root);
    window.addEventListener("resize", () => this.layout());
  }

  // ---- what is shown

  // A normal image to paint on: `picture` its reduced copy, `editor` [width, height] of that copy.
  setPicture({ image, width, height, editor }) {
    this.picture = { width, height };
    this.mask.size = [width, height];
    this.base.src = image;
    this.editor.open(...editor);
    this.reset();
    this.layout();
  }

  get reduction() { return this.picture ? this.picture.width / this.editor.width : 1; } // image pixels per mask pixel

  setTool(tool) { // brush, eraser, place (the piece or shape), none
    this.tool = tool;
    this.mask.view.classList.toggle("st-painting", tool === "brush" || tool === "eraser");
    this.mask.view.classList.toggle("st-placing", tool === "place");
    this.cursor.hidden = true;
    this.drawFrame();
  }

  // before, after: addresses of pictures; outline: lines in pixels of an image of this width and height.
  showResult({ before, after, width, height, outline = [], label = "Original" }) {
    const { make } = this, { view } = this.result;
    const lines = this.polygon(outline);
    const svg = this.drawing(width, height, ["", lines], ["", lines]);
    svg.classList.add("st-outlines");
    const picture = (src, name) => make("img", { class: name, src, alt: "", draggable: "false" });
    const stage = make("div", { class: "st-stage" }, before && picture(before, "st-beforepicture"), picture(after, "st-afterpicture"), svg);
    const split = before && make("div", { class: "st-split", role: "slider", tabindex: "0", "aria-label": `Share of the pane that shows: ${label}`,
      "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "50", onkeydown: (event) => this.#nudge(event) });
    view.replaceChildren(stage, ...(before ? [make("span", { class: "st-side st-before" }, label), make("span", { class: "st-side st-after" }, "Result"), split] : []));
    Object.assign(this.result, { stage, size: [width, height] });
    this.layout();
  }

  showGrowing(address) { // a picture on its way, in the result's place
    const shown = this.result.view.querySelector(".st-growing");
    if (shown) { shown.src = address; return; }
    this.showResult({ after: address, width: this.picture.width, height: this.picture.height });
    this.result.stage.querySelector("img").classList.add("st-growing");
  }

  showEmpty(...words) {
    Object.assign(this.result, { stage: null, size: null });
    this.result.view.replaceChildren(this.make("div", { class: "st-empty" }, ...words));
  }

  // ---- geometry: both panes share one zoom, kept in pixels of a pane

  layout() {
    if (!this.picture || !this.root.clientWidth) return;
    const ratio = this.picture.width / this.picture.height;
    this.root.classList.toggle("st-wide", ratio > 2);
    const width = this.mask.view.clientWidth;
    const top = this.root.getBoundingClientRect().top + window.scrollY;
    const room = Math.min(720, Math.max(320, window.innerHeight - top - 120));
    const height = Math.round(Math.max(ratio > 2 ? 96 : 240, Math.min((width - 2 * ExddPanes.AROUND) / ratio + 2 * ExddPanes.AROUND, room)));
    this.root.style.setProperty("--st-height", `${height + 2}px`);
    this.move();
  }

  fit(pane) {
    const { clientWidth: width, clientHeight: height } = pane.view, around = 2 * ExddPanes.AROUND;
    const scale = Math.min((width - around) / pane.size[0], (height - around) / pane.size[1]);
    return { scale, left: (width - pane.size[0] * scale) / 2, top: (height - pane.size[1] * scale) / 2 };
  }

  move() {
    for (const pane of [this.mask, this.result]) {
      if (!pane.size || !pane.stage) continue;
      const { scale, left, top } = this.fit(pane), { k, x, y } = this.zoom;
      Object.assign(pane.stage.style, {
        width: `${pane.size[0] * scale}px`, height: `${pane.size[1] * scale}px`, transform: `translate(${left + x}px, ${top + y}px) scale(${k})`,
      });
      const sharp = scale * k * (pane === this.mask ? this.reduction : 1) > 3;
      pane.stage.querySelectorAll("img, canvas").forEach((picture) => { picture.style.imageRendering = sharp ? "pixelated" : "auto"; });
      pane.stage.querySelectorAll("path").forEach((path, index) => { path.style.strokeWidth = `${[3.5, 1.5][index] / k}px`; });
    }
    this.#cut();
    this.drawFrame();
  }

  reset() { this.zoom = { k: 1, x: 0, y: 0 }; this.move(); }

  // A box (left, top, width, height) of the image with as much again around it.
  zoomTo([left, top, width, height]) {
    const { clientWidth, clientHeight } = this.mask.view, fit = this.fit(this.mask);
    const k = Math.min(40, Math.max(1, Math.min(clientWidth / (2 * width * fit.scale), clientHeight / (2 * height * fit.scale))));
    const at = (start, length, view, side) => view / 2 - side - (start + length / 2) * fit.scale * k;
    this.zoom = k === 1 ? { k: 1, x: 0, y: 0 } : { k, x: at(left, width, clientWidth, fit.left), y: at(top, height, clientHeight, fit.top) };
    this.move();
  }

  #place(pane, event) {
    const box = pane.view.getBoundingClientRect();
    return [event.clientX - box.left - 1, event.clientY - box.top - 1]; // 1: the border
  }

  #pixel(event) { // of the mask
    const [px, py] = this.#place(this.mask, event), { scale, left, top } = this.fit(this.mask), { k, x, y } = this.zoom;
    const full = scale * k * this.reduction;
    return [(px - left - x) / full, (py - top - y) / full];
  }

  #seen([x, y]) { // a mask pixel's place in the pane
    const { scale, left, top } = this.fit(this.mask), { zoom } = this, full = scale * zoom.k * this.reduction;
    return [left + zoom.x + x * full, top + zoom.y + y * full];
  }

  #wheel(pane, event) {
    if (!pane.size) return;
    event.preventDefault();
    const { zoom } = this, { scale, left, top } = this.fit(pane), [px, py] = this.#place(pane, event);
    const k = Math.min(40, Math.max(1, zoom.k * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015))));
    if (k === 1) return this.reset();
    zoom.x = px - left - (px - left - zoom.x) * k / zoom.k;
    zoom.y = py - top - (py - top - zoom.y) * k / zoom.k;
    zoom.k = k;
    this.#keepInSight(pane, scale, left, top);
    this.move();
    this.#hover(event);
  }

  #keepInSight(pane, scale, left, top) { // at least a quarter of the pane still shows the image
    const { zoom } = this, clamp = (value, low, high) => Math.min(Math.max(value, low), high);
    zoom.x = clamp(zoom.x, pane.view.clientWidth / 4 - left - pane.size[0] * scale * zoom.k, pane.view.clientWidth * 3 / 4 - left);
    zoom.y = clamp(zoom.y, pane.view.clientHeight / 4 - top - pane.size[1] * scale * zoom.k, pane.view.clientHeight * 3 / 4 - top);
  }

  // ---- pointers

  #drag(event, start, step, end) {
    start();
    exddParts.drag(event, step, end);
  }

  #pan(event) {
    const pane = event.currentTarget === this.mask.view ? this.mask : this.result;
    if (!pane.size) return;
    const from = { ...this.zoom }, start = [event.clientX, event.clientY], { scale, left, top } = this.fit(pane);
    this.#drag(event, () => pane.view.classList.add("st-panning"), (now) => {
      if (this.zoom.k === 1) return;
      Object.assign(this.zoom, { x: from.x + now.clientX - start[0], y: from.y + now.clientY - start[1] });
      this.#keepInSight(pane, scale, left, top);
      this.move();
    }, () => pane.view.classList.remove("st-panning"));
  }

  #press(event) {
    if (!this.picture || event.target.closest("button, a, label")) return;
    document.activeElement?.blur?.(); // so that keys are the editor's again
    if (event.button !== 0 || this.space || this.tool === "none") return this.#pan(event);
    if (this.tool === "place") return this.#placing(event);
    const { editor } = this, radius = Math.max(0.5, this.brush / this.reduction / 2);
    this.#drag(event, () => editor.begin(this.#pixel(event), radius, this.tool === "eraser"), (now) => {
      const points = now.getCoalescedEvents?.() || [];
      editor.extend((points.length ? points : [now]).map((point) => this.#pixel(point)));
    }, () => editor.end());
  }

  // A piece is moved, and by its handles turned and sized; a shape without handles is moved.
  #placing(event) {
    const { editor, told } = this, start = this.#pixel(event), spec = { ...told.placed() };
    const middle = [spec.x * editor.width, spec.y * editor.height];
    const handle = event.target.classList?.contains("st-turn") ? "turn" : event.target.classList?.contains("st-size") ? "size" : "move";
    const angle = ([x, y]) => Math.atan2(y - middle[1], x - middle[0]) * 180 / Math.PI;
    const far = ([x, y]) => Math.hypot(x - middle[0], y - middle[1]);
    this.#drag(event, () => {}, (now) => {
      const here = this.#pixel(now);
      if (handle === "turn") {
        const turned = ((spec.angle + angle(here) - angle(start) + 540) % 360) - 180;
        told.place({ angle: Math.round(now.shiftKey ? Math.round(turned / 15) * 15 : turned) });
      } else if (handle === "size") told.place({ scale: spec.scale * far(here) / Math.max(1, far(start)) });
      else told.place({ x: spec.x + (here[0] - start[0]) / editor.width, y: spec.y + (here[1] - start[1]) / editor.height });
    }, () => told.settled());
  }

  #hover(event) {
    const painting = this.tool === "brush" || this.tool === "eraser";
    const inside = event.currentTarget === this.mask.view && painting && this.picture && !this.space;
    this.cursor.hidden = !inside;
    if (!inside) return;
    this.pointer = this.#place(this.mask, event);
    this.showBrush();
  }

  showBrush() {
    if (!this.pointer || !this.picture) return;
    const size = Math.max(3, this.brush * this.fit(this.mask).scale * this.zoom.k), [left, top] = this.pointer;
    Object.assign(this.cursor.style, { left: `${left}px`, top: `${top}px`, width: `${size}px`, height: `${size}px` });
    this.cursor.classList.toggle("st-erasing", this.tool === "eraser");
  }

  setSpace(held) {
    this.space = held;
    this.mask.view.classList.toggle("st-panning", held);
    if (held) this.cursor.hidden = true;
  }

  // The box around a placed piece with its two handles.
  drawFrame() {
    const placed = this.tool === "place" && this.editor.piece && this.picture;
    if (!placed) { this.frame.replaceChildren(); return; }
    const { corners, knob } = this.editor.frame(28 / (this.fit(this.mask).scale * this.zoom.k * this.reduction));
    const seen = corners.map((corner) => this.#seen(corner)), [kx, ky] = this.#seen(knob);
    const middle = [(seen[0][0] + seen[1][0]) / 2, (seen[0][1] + seen[1][1]) / 2];
    const part = (tag, properties) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
      Object.entries(properties).forEach(([name, value]) => node.setAttribute(name, value));
      return node;
    };
    const d = `M${seen.map((point) => point.join(" ")).join("L")}ZM${middle.join(" ")}L${kx} ${ky}`;
    this.frame.replaceChildren(part("path", { d }), part("circle", { class: "st-turn", cx: kx, cy: ky, r: 6 }),
      part("rect", { class: "st-size", x: seen[2][0] - 5, y: seen[2][1] - 5, width: 10, height: 10, rx: 2 }));
  }

  // ---- original and result in one pane

  #slide(event) {
    const [x] = this.#place(this.result, event);
    const [from, to] = this.#visible();
    this.share = Math.min(1, Math.max(0, (x - from) / (to - from)));
    this.#cut();
  }

  #visible() { // from where to where the pane shows the result, pixels across
    const { view, size } = this.result, { scale, left } = this.fit(this.result), { k, x } = this.zoom;
    return [Math.max(0, left + x), Math.min(view.clientWidth, left + x + size[0] * scale * k)];
  }

  #nudge(event) {
    const step = { ArrowLeft: -0.05, ArrowRight: 0.05, Home: -1, End: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.share = Math.min(1, Math.max(0, this.share + step));
    this.#cut();
    this.told.slid(this.share);
  }

  #cut() { // the result is shown to the right of the handle
    const { view, stage, size } = this.result, split = view.querySelector(".st-split");
    if (!stage || !split) return;
    const { scale, left } = this.fit(this.result), { k, x } = this.zoom;
    const [from, to] = this.#visible(), place = from + this.share * (to - from), at = (place - left - x) / (size[0] * scale * k);
    stage.querySelector(".st-afterpicture").style.clipPath = `inset(0 0 0 ${Math.min(1, Math.max(0, at)) * 100}%)`;
    split.style.left = `${place}px`;
    split.setAttribute("aria-valuenow", String(Math.round(this.share * 100)));
    view.querySelector(".st-before").hidden = this.share < 0.2;
    view.querySelector(".st-after").hidden = this.share > 0.8;
    stage.querySelector(".st-outlines").style.display = this.outlined ? "" : "none";
  }

  setOutlined(outlined) { this.outlined = outlined; this.#cut(); }
};
