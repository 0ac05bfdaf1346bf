// What is wrong with how a page lies in its window, in words: what is cut off, and what lies over something else.
() => {
  const CONTROLS =
    'button, a[href], input, select, textarea, summary, [role=slider], [role=tab], [tabindex="0"]';
  // What lies on a picture is meant to. What is skipped is seen only with the focus, or is a tick in a thumbnail's corner.
  const PICTURE = ".vw-view, .st-view, .cu-view, .js-plotly-plot, svg";
  const SKIPPED = ".skip, .jump, .sr-only, .st-hidden, input.tick";
  const UNREAD = `${PICTURE}, script, style, option, [aria-hidden=true]`;
  const ABOVE = "[role=dialog], [role=alertdialog], dialog, [popover], .vw-sheet, .st-working";

  const isSeen = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const named = (one) => {
    const words = one.textContent.trim() || one.getAttribute("aria-label") || one.name || "";
    const classes = one.className?.trim ? one.className.trim().split(/\s+/).join(".") : "";
    return `${one.tagName.toLowerCase()}.${classes} "${words.replace(/\s+/g, " ").slice(0, 60)}"`;
  };
  // Pixels by which two boxes lie over each other, in the direction in which it is less.
  const shared = (a, b) =>
    Math.min(
      Math.min(a.right, b.right) - Math.max(a.left, b.left),
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top),
    );

  // The part of a box that `first` and what is around it let through, and which of them cuts the rest off for good.
  const through = (first, { left, top, right, bottom }) => {
    const cuts = (overflow, isBeyond) => isBeyond && /hidden|clip/.test(overflow);
    let [cutter, place] = [null, "static"];
    for (let at = first; at && place !== "fixed"; at = at.parentElement) {
      const { position, overflowX, overflowY } = getComputedStyle(at);
      if (place === "absolute" && position === "static") continue;
      place = position;
      const frame = at.getBoundingClientRect();
      const [beside, below] = [
        left < frame.left - 2 || right > frame.right + 2,
        top < frame.top - 2 || bottom > frame.bottom + 2,
      ];
      if (cuts(overflowX, beside) || cuts(overflowY, below)) cutter ||= at;
      if (overflowX !== "visible") [left, right] = [Math.max(left, frame.left), Math.min(right, frame.right)];
      if (overflowY !== "visible") [top, bottom] = [Math.max(top, frame.top), Math.min(bottom, frame.bottom)];
    }
    return { box: { left, top, right, bottom }, cutter };
  };

  // What lies above the page on purpose: dialogs, and whatever keeps its place while the page scrolls.
  const layerOf = (one) => {
    for (let at = one; at; at = at.parentElement)
      if (/fixed|sticky/.test(getComputedStyle(at).position) || at.matches(ABOVE)) return at;
    return null;
  };
  const endsInDots = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const { textOverflow, webkitLineClamp } = getComputedStyle(at);
      if (textOverflow === "ellipsis" || webkitLineClamp !== "none") return true;
    }
    return false;
  };
  const pairs = (list) => list.flatMap((a, number) => list.slice(0, number).map((b) => [a, b]));
  const found = [];

  const controls = [...document.querySelectorAll(CONTROLS)]
    .filter((one) => isSeen(one) && !one.closest(PICTURE) && !one.matches(SKIPPED) && !one.disabled)
    .filter((one) => one.getBoundingClientRect().width > 1)
    .map((one) => ({ one, ...through(one.parentElement, one.getBoundingClientRect()) }))
    .filter(({ box }) => box.right - box.left > 2 && box.bottom - box.top > 2);
  for (const { one, cutter } of controls)
    if (cutter) found.push(`${named(one)} is cut off by ${named(cutter)}`);
  for (const [a, b] of pairs(controls)) {
    if (shared(a.box, b.box) <= 2 || a.one.contains(b.one) || b.one.contains(a.one)) continue;
    const label = a.one.closest("label");
    if ((label && label === b.one.closest("label")) || layerOf(a.one) !== layerOf(b.one)) continue;
    found.push(`${named(a.one)} overlaps ${named(b.one)}`);
  }

  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    const isHidden = one.matches(`${SKIPPED}, details:not([open])`) || one.closest(UNREAD);
    if (!walker.currentNode.data.trim() || isHidden || !isSeen(one)) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const line of range.getClientRects()) {
      if (line.width < 2 || line.height < 2) continue;
      const { box, cutter } = through(one, line);
      if (cutter && !endsInDots(one)) found.push(`the words of ${named(one)} are cut off`);
      if (box.right - box.left < 2 || box.bottom - box.top < 6 || box.top < 0 || box.bottom > innerHeight)
        continue;
      lines.push({ one, box: { ...box, top: box.top + 2, bottom: box.bottom - 2 } });
    }
  }
  for (const [a, b] of pairs(lines))
    if (a.one !== b.one && shared(a.box, b.box) > 3 && layerOf(a.one) === layerOf(b.one))
      found.push(`the words of ${named(a.one)} lie over ${named(b.one)}`);
  return [...new Set(found)];
}
