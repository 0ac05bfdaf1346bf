// Marking an image in the Inspect viewer: a mask drawn on its first pane, a bar of tools, what kind of defect, and who
// says so. It knows that pane's stage, the mask editor and a pointer in pixels of the image. It does not know banks,
// scores or the server: what a person keeps it gives to `keep`, and what they leave to `leave`.

window.ExddMark = class {
  static WHO = "exdd.who"; // as in Curate: one name a browser
  static WORDS = {
    missed: ["Missed defect", "Draw over the defect. Its patches go into the positive bank."],
    false_alarm: ["False alarm", "What is marked goes into the negative bank."],
    outline: ["Outline of the defect", "Draw over the defect. The data set keeps the mask, and banks built from then on learn it."],
  };
  static KEEPING = { outline: ["Keep the mask (Enter)", "Keeping the mask…"] };
  static TEACHING = ["Teach the bank (Enter)", "Teaching the bank…"];

  constructor(bar, { keep, leave }) {
    this.bar = bar;
    this.told = { keep, leave };
    this.canvas = exddParts.make("canvas", { class: "vw-drawn", width: 1, height: 1 });
    this.cursor = exddParts.make("div", { class: "vw-brush", hidden: true });
    this.editor = new ExddMaskEditor(this.canvas, () => this.#show());
    Object.assign(this, { action: "", tool: "brush", brush: 0, size: [1, 1], given: false, busy: false });
  }

  static get who() { return localStorage.getItem(ExddMark.WHO) || ""; }
  static remember(name) { // and say what was remembered, "" for no name at all
    const who = name.trim().replace(/\s+/g, " ");
    if (who) localStorage.setItem(ExddMark.WHO, who);
    return who;
  }
  get #words() { return ExddMark.KEEPING[this.action] || ExddMark.TEACHING; }
  get open() { return this.action !== ""; }
  get changed() { return this.editor.past.length > 0; }

  // Begin to mark an image of `width` x `height` pixels, shown in `view` by a picture of `shown` [width, height].
  begin({ action, view, stage, width, height, shown, types, words, warning, layer }) {
    Object.assign(this, { action, view, size: [width, height], tool: "brush", given: Boolean(layer), busy: false });
    this.brush ||= Math.max(4, Math.round(Math.max(width, height) / 40));
    this.editor.open(...shown);
    if (layer) this.editor.load(layer);
    document.activeElement?.blur?.(); // Enter is ours now, and no button's that was pressed before
    stage.append(this.canvas);
    view.append(this.cursor);
    view.classList.add("vw-marking");
    this.#fill(types, words, warning);
    this.#show();
  }

  end() {
    if (!this.open) return;
    this.action = "";
    this.view.classList.remove("vw-marking");
    this.canvas.remove();
    this.cursor.remove();
    this.bar.hidden = true;
    this.bar.replaceChildren();
  }

  #fill(types, words, warning) {
    const { make } = exddParts, [title, what] = ExddMark.WORDS[this.action], most = Math.max(8, Math.round(Math.max(...this.size) / 6));
    const plain = (text, onclick, more) => make("button", { type: "button", class: "plain-button", onclick, ...more }, text);
    this.bar.replaceChildren(
      make("div", { class: "vw-marktop" }, make("b", {}, title), make("span", {}, words || what), warning && make("span", { class: "vw-quiet" }, warning)),
      make("div", { class: "vw-switch", role: "group", "aria-label": "Tool" }, ...[["brush", "Brush", "B"], ["eraser", "Eraser", "E"]].map(([name, text, letter]) =>
        make("button", { type: "button", "data-tool": name, title: `${text} (${letter})`, onclick: () => this.pick(name) }, text))),
      make("label", { class: "vw-field" }, "Size", make("input", { type: "range", class: "vw-brushsize", min: 1, max: most, step: 1, value: this.brush, "aria-label": "Size of the brush, pixels of the image",
        oninput: (event) => this.resize(Number(event.target.value)) }), make("output", { class: "vw-percent" })),
      plain("Undo", () => this.editor.undo(), { class: "plain-button vw-back", title: "Undo the last stroke (Ctrl+Z)" }),
      plain("Redo", () => this.editor.redo(), { class: "plain-button vw-again" }),
      ...this.action === "missed" ? [make("label", { class: "vw-field" }, "Type", make("input", { type: "text", class: "vw-type", list: "vw-types", maxlength: "60", placeholder: "optional", autocomplete: "off" }))] : [],
      make("datalist", { id: "vw-types" }, ...types.map((value) => make("option", { value }))),
      make("label", { class: "vw-field" }, "By", make("input", { type: "text", class: "vw-who", maxlength: "40", value: ExddMark.who, placeholder: "your name", autocomplete: "name", title: "Your name stands beside the mark; this browser remembers it" })),
      make("span", { class: "vw-space" }),
      plain("Cancel", () => this.told.leave(), { title: "Leave everything as it was (Esc)" }),
      make("button", { type: "button", class: "main-button vw-keep", title: this.#words[0], onclick: () => this.keep() }, "Keep"));
    for (const field of this.bar.querySelectorAll("input[type=text]")) field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); event.stopPropagation(); this.keep(); }
      if (event.key === "Escape") field.blur();
    });
    this.bar.hidden = false;
  }

  #show() {
    if (!this.open) return;
    const { bar, editor } = this;
    for (const button of bar.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === this.tool));
    bar.querySelector(".vw-back").disabled = !editor.past.length;
    bar.querySelector(".vw-again").disabled = !editor.future.length;
    bar.querySelector(".vw-brushsize").value = this.brush;
    bar.querySelector("output").textContent = `${this.brush} px`;
    const keep = bar.querySelector(".vw-keep");
    keep.disabled = this.busy || !(this.given || this.changed);
    keep.textContent = this.busy ? this.#words[1] : "Keep";
  }

  pick(tool) { this.tool = tool; this.cursor.classList.toggle("vw-erasing", tool === "eraser"); this.#show(); }
  resize(size) { this.brush = Math.max(1, Math.round(size)); this.#show(); }

  // Give what was drawn to whoever asked: `layer` is "" where what was given was left as it is.
  async keep() {
    if (!this.open || this.bar.querySelector(".vw-keep").disabled) return;
    const field = this.bar.querySelector(".vw-who"), who = ExddMark.remember(field.value);
    if (!who) { field.focus(); field.classList.add("vw-wanted"); return; }
    this.busy = true;
    this.#show();
    try {
      await this.told.keep({ action: this.action, who, layer: this.given && !this.changed ? "" : this.editor.toPng(), type: this.bar.querySelector(".vw-type")?.value || "" });
    } finally {
      this.busy = false;
      this.#show();
    }
  }

  // ---- the brush. at(event): the pointer in pixels of the image; scale: how large one of those is on the screen

  press(event, at) {
    const { editor, view } = this, fit = editor.width / this.size[0], pixel = (now) => at(now).map((value) => value * fit);
    document.activeElement?.blur?.(); // so that keys are the viewer's again
    event.preventDefault();
    view.setPointerCapture(event.pointerId);
    editor.begin(pixel(event), Math.max(0.5, this.brush / 2 * fit), this.tool === "eraser");
    const draw = (now) => {
      const points = now.getCoalescedEvents?.() || [];
      editor.extend((points.length ? points : [now]).map(pixel));
    };
    const finish = () => {
      view.removeEventListener("pointermove", draw);
      for (const name of ["pointerup", "pointercancel"]) view.removeEventListener(name, finish);
      if (editor.stroke) editor.end();
    };
    view.addEventListener("pointermove", draw);
    for (const name of ["pointerup", "pointercancel"]) view.addEventListener(name, finish);
  }

  hover([x, y], scale) {
    const across = `${Math.max(3, this.brush * scale)}px`;
    this.cursor.hidden = false;
    Object.assign(this.cursor.style, { left: `${x}px`, top: `${y}px`, width: across, height: across });
  }

  // A key pressed while something is marked; whether it was for us.
  key(event) {
    const pressed = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && pressed === "z") { if (event.shiftKey) this.editor.redo(); else this.editor.undo(); return true; }
    const action = {
      b: () => this.pick("brush"), e: () => this.pick("eraser"), "[": () => this.resize(Math.min(this.brush - 1, this.brush / 1.25)), "]": () => this.resize(Math.max(this.brush + 1, this.brush * 1.25)),
      enter: () => this.keep(), escape: () => this.told.leave(),
    }[pressed];
    if (event.ctrlKey || event.metaKey || event.altKey || !action || (pressed === "enter" && event.target.closest?.("button"))) return false;
    action();
    return true;
  }
};
