// Runs first on every page: light or dark before anything is painted, the button that switches and remembers it, the
// sorting of tables, hints of what is cut off, the sentence of an event that was refused or of a server that is silent,
// the keys that a visitor's role lacks, where the focus goes, and rest while nothing changes. It knows nothing of pages;
// Gradio asks matchMedia what the system prefers, so it answers.
// It stands in the page's <head> itself and is no module: a module would run after the first paint.
(() => {
  const KEY = "exdd-theme";
  const ask = window.matchMedia.bind(window);
  const system = ask("(prefers-color-scheme: dark)");
  const systemTheme = () => (system.matches ? "dark" : "light");
  /** What the browser's storage has; it may refuse (shared/memory.js). @param {() => string | null} read */
  const stored = (read) => {
    try {
      return read() || "";
    } catch {
      return "";
    }
  };
  let chosen = stored(() => localStorage.getItem(KEY)); // "" is the system's preference
  const theme = () => chosen || systemTheme();

  /** @param {string} query */
  const answer = (query) => ({
    matches: theme() === "dark",
    media: query,
    addEventListener() {},
    removeEventListener() {},
  });
  window.matchMedia = (query) =>
    /prefers-color-scheme:\s*dark/.test(query)
      ? /** @type {MediaQueryList} */ (/** @type {unknown} */ (answer(query)))
      : ask(query);

  const apply = () => {
    const dark = theme() === "dark";
    document.documentElement.classList.toggle("dark", dark);
    document.body?.classList.toggle("dark", dark);
  };
  apply();
  document.addEventListener("DOMContentLoaded", apply);
  system.addEventListener("change", apply);

  /** Say on the page why an event was refused. @param {string} words */
  const sayRefused = (words) => {
    const page = document.querySelector(".gradio-container .page");
    const said = document.querySelector(".frame-refused") || document.createElement("p");
    said.className = "note error frame-refused";
    said.setAttribute("role", "alert");
    said.textContent = words;
    page?.prepend(said);
  };

  /** The data set that this tab works on, as shared/tab.js has it. */
  const tabDataset = () =>
    new URL(location.href).searchParams.get("dataset") ||
    stored(() => sessionStorage.getItem("exdd.dataset"));

  const SILENT = "The workbench is not responding. Is it still running? Start it; this page then goes on."; // as shared/server.js
  let isSilent = false;
  const missed = (/** @type {unknown} */ error) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error; // nobody wants it any more
    isSilent = true;
  };
  // A page that is left loses the answers that are on their way; the browser may show it again, by Back.
  let isLeft = false;
  const leave = (/** @type {Event} */ { type }) => (isLeft = type === "pagehide");
  for (const kind of ["pagehide", "pageshow"]) window.addEventListener(kind, leave);
  const heard = () => {
    if (!isSilent) return;
    isSilent = false;
    const said = document.querySelector(".frame-refused");
    if (said?.textContent === SILENT) said.remove();
    document.dispatchEvent(new CustomEvent("exdd-answers"));
  };

  // Where the server falls silent, Gradio would lay a box of its own over the page and reload it once the server is back,
  // without what was typed. So each event that waits ends as if it were refused for no reason.
  const LAST = [{ msg: "unexpected_error", message: [], success: false }, { msg: "close_stream" }]
    .map((told) => `\n\ndata: ${JSON.stringify(told)}\n\n`)
    .join("");
  /** The answers to events as they come. @param {ReadableStream<Uint8Array>} body */
  const endedBySilence = (body) => {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let tail = "";
    return new ReadableStream({
      async pull(to) {
        const { value, done } = await reader.read().catch((error) => ({ done: true, value: missed(error) }));
        if (value) {
          tail = (tail + decoder.decode(value, { stream: true })).slice(-200);
          to.enqueue(value);
        }
        if (!done) return;
        if (!tail.includes("close_stream")) {
          if (!isLeft) sayRefused(SILENT);
          to.enqueue(new TextEncoder().encode(LAST));
        }
        to.close();
      },
      cancel: (reason) => reader.cancel(reason),
    });
  };
  const ended = (/** @type {number} */ status) =>
    new Response('{"detail": []}', { status, headers: { "Content-Type": "application/json" } });

  // An event says which data set the tab works on (pages/tab.py). Gradio would show why one was refused in an overlay of
  // its own; an empty list of reasons ends the event without one.
  const send = window.fetch.bind(window);
  window.fetch = async (address, options) => {
    const url = address instanceof Request ? address.url : `${address}`;
    const isEvent = /\/(queue\/join|run\/predict)\b/.test(url);
    const isStream = /\/queue\/data\b/.test(url);
    const headers = new Headers(options?.headers ?? (address instanceof Request ? address.headers : {}));
    if (isEvent) headers.set("X-ExDD-Dataset", encodeURIComponent(tabDataset()));
    const asked = send(address, isEvent ? { ...options, headers } : options);
    const answer = await asked.catch((error) => {
      missed(error);
      if (!isEvent && !isStream) throw error;
    });
    if (!answer || answer.status === 502 || answer.status === 504) {
      isSilent = true; // a proxy may answer in its place
      if ((isEvent || isStream) && !isLeft) sayRefused(SILENT);
      if (isStream) return new Response(LAST);
      return isEvent || !answer ? ended(422) : answer;
    }
    heard();
    if (isStream && answer.ok && answer.body) return new Response(endedBySilence(answer.body), answer);
    if (!isEvent || (answer.status !== 401 && answer.status !== 403)) return answer;
    const said = await answer.json().catch(() => ({})); // a proxy's refusal is no JSON
    sayRefused(said.detail || "You are not allowed to do this. Sign in again.");
    return ended(answer.status);
  };

  // Gradio counts how long a page loads, in every frame, and goes on for ever after it has loaded (6.31): the browser would
  // draw sixty times a second while nothing changes. Nobody sees that timer here, so it counts once a second.
  const nextFrame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (step) =>
    /performance\.now\(\)\s*-.*\/\s*1e3/.test(`${step}`)
      ? window.setTimeout(() => step(performance.now()), 1000)
      : nextFrame(step);

  /** @param {MouseEvent} event @param {string} selector */
  const clicked = (event, selector) =>
    event.target instanceof Element ? event.target.closest(selector) : null;

  // The keys that this visitor's role lacks reach no script (pages/guard/controls.py); what is typed does.
  const TYPED = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable=true]";
  /** @param {KeyboardEvent} event */
  const stopLacking = (event) => {
    const isCommand = event.ctrlKey || event.metaKey;
    const lacking = document.querySelector("meta[name=exdd-lacking-keys]")?.getAttribute("content") ?? "";
    const key = `${isCommand ? "ctrl+" : ""}${String(event.key).toLowerCase()}`; // a filled-in form brings none
    const isTyped = !isCommand && event.target instanceof Element && event.target.closest(TYPED);
    if (!isTyped && lacking.split(" ").includes(key)) event.stopImmediatePropagation();
  };
  window.addEventListener("keydown", stopLacking, true);

  document.addEventListener("click", (event) => {
    if (!clicked(event, "[data-theme-toggle]")) return;
    const next = theme() === "dark" ? "light" : "dark";
    chosen = next === systemTheme() ? "" : next;
    try {
      localStorage.setItem(KEY, chosen);
    } catch {
      // storage is refused: it holds for this page only
    }
    apply();
  });

  // What the second click of a double click would delete, the first one has only just brought there; and a job that the
  // first one has begun is not wanted twice.
  const DELETES = /^(Delete|Drop|Remove|Clear|Stop offering)\b/;
  const STARTS = /^(Build|Compare|Create|Export|Import|Measure|Queue|Rebuild|Score|Search|Teach)\b/;
  const stopSecond = (/** @type {MouseEvent} */ event) => {
    const button = event.detail > 1 && clicked(event, "button");
    const words = ((button && (button.getAttribute("aria-label") || button.textContent)) || "").trim();
    if (!DELETES.test(words) && !STARTS.test(words)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  window.addEventListener("click", stopSecond, true);

  // What has the focus may be drawn anew, disabled, hidden or taken away, often by its own press. The focus then goes to
  // its successor, else to the nearest box around the place: a second press counts, and Tab goes on from there.
  /** @typedef {{ one: HTMLElement, like: string, around: HTMLElement[], focusVisible: boolean, held?: HTMLElement }} Focused */
  /** @type {Focused | null} */
  let focused = null;
  /** @param {Element | null} one */
  const canFocus = (one) => Boolean(one?.isConnected && one.checkVisibility() && !one.matches(":disabled"));
  /** @param {HTMLElement} one */
  const label = (one) =>
    one.getAttribute("aria-label") || (one.textContent ?? "").replace(/[\d~.,]+/g, "").trim();
  /** @param {HTMLElement} one */
  const likeness = (one) => [one.tagName, one.dataset.id, label(one) || one.className].join();
  /** @param {HTMLElement} one @returns {Focused} */
  const withFocus = (one) => {
    const around = [];
    for (let at = one.parentElement; at && at !== document.body; at = at.parentElement) around.push(at);
    return { one, like: likeness(one), around, focusVisible: one.matches(":focus-visible") };
  };

  /** @param {Focused} lost */
  const refocus = (lost) => {
    const { one, like, around, focusVisible, held } = lost;
    const box = around.find(canFocus) || document.querySelector("#content");
    if (!(box instanceof HTMLElement)) return;
    const others = DELETES.test(label(one)) ? [] : box.querySelectorAll(one.tagName);
    const successor = [one, ...others].find(
      (other) => other instanceof HTMLElement && canFocus(other) && likeness(other) === like,
    );
    const next = /** @type {HTMLElement} */ (
      successor || box.querySelector(":scope:not([open]) > summary") || box
    );
    if (next === held) return;
    if (next === box) {
      lost.held = box;
      if (!box.hasAttribute("tabindex")) box.tabIndex = -1;
    }
    next.focus(/** @type {FocusOptions} */ ({ preventScroll: true, focusVisible }));
  };
  const keepFocus = () => {
    const active = document.activeElement;
    if (!focused || (active !== document.body && active !== focused.held && canFocus(active))) return;
    if (!focused.held && canFocus(focused.one))
      focused = null; // a script or a press elsewhere gave the focus up
    else refocus(focused);
  };
  let isDue = false;
  const keepFocusSoon = () => {
    if (focused && !focused.one.isConnected) keepFocus();
    if (isDue || !focused) return;
    isDue = true;
    nextFrame(() => {
      isDue = false;
      keepFocus();
    });
  };
  const attributeFilter = ["disabled", "hidden", "open", "class", "style"];
  new MutationObserver(keepFocusSoon).observe(document, { subtree: true, childList: true, attributeFilter });
  document.addEventListener("focusin", ({ target }) => {
    if (target instanceof HTMLElement && target !== focused?.held) focused = withFocus(target);
  });
  document.addEventListener("focusout", keepFocusSoon);
  for (const kind of ["keydown", "pointerdown"]) {
    const goOn = () => {
      if (focused?.held) focused = withFocus(focused.held); // what comes back later takes the focus from nobody
    };
    window.addEventListener(kind, goOn, true);
  }

  document.addEventListener("click", (event) => {
    const link = clicked(event, ".skip, .jump");
    const content = link && document.querySelector(link.getAttribute("href") ?? "");
    if (!(content instanceof HTMLElement)) return;
    event.preventDefault(); // Gradio's <base> would make the address of another page of it
    content.tabIndex = -1;
    content.focus({ preventScroll: true });
    content.scrollIntoView();
  });

  /** @param {HTMLTableRowElement} row @param {number} column */
  const value = (row, column) =>
    // A row that asks something has a single cell.
    row.cells[column]?.dataset.sort ?? row.cells[column]?.innerText.replaceAll(",", "") ?? "";

  // A click on a column's title sorts the table by it, a second click reverses the order.
  document.addEventListener("click", (event) => {
    const head = clicked(event, ".sortable .sort")?.closest("th");
    const body = head?.closest("table")?.tBodies[0];
    if (!head || !body) return;
    const down = head.getAttribute("aria-sort") !== "descending";
    for (const other of head.parentElement?.children ?? []) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = new Intl.Collator(undefined, { numeric: true });
    const rows = [...body.rows].sort((a, b) =>
      order.compare(value(a, head.cellIndex), value(b, head.cellIndex)),
    );
    body.append(...(down ? rows.reverse() : rows));
  });

  /** Whether the words of an element end in dots. @param {HTMLElement} element */
  const isCut = (element) => {
    const { textOverflow, webkitLineClamp } = getComputedStyle(element);
    if (webkitLineClamp !== "none") return element.scrollHeight > element.clientHeight + 1;
    return textOverflow === "ellipsis" && element.scrollWidth > element.clientWidth;
  };

  // Words that are cut off are whole in a hint, where the page gives none.
  document.addEventListener("pointerover", ({ target }) => {
    for (let at = target; at instanceof HTMLElement && !at.matches(".page"); at = at.parentElement) {
      if (at.title && at.title !== at.dataset.cut) return;
      const words = at instanceof HTMLSelectElement ? at.selectedOptions[0]?.text : isCut(at) && at.innerText;
      if (words) {
        at.title = at.dataset.cut = words;
        return;
      }
      if (at.title) at.title = ""; // they are whole again
    }
  });
})();
