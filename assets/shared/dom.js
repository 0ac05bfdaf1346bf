// Builds elements and finds them. Knows the DOM and no page.

/**
 * What an element can hold; an empty place (null, undefined, false) adds nothing.
 * @typedef {Node | string | number | null | undefined | false} Child
 *
 * Attributes by name. `onclick` and its like are listeners, `class` and `style` are text, true is an attribute
 * without a value; null, undefined and false set nothing.
 * @typedef {Record<string, unknown> &
 *   { [K in keyof HTMLElementEventMap as `on${K}`]?: (event: HTMLElementEventMap[K]) => unknown }} Properties
 */

/**
 * Make an element with attributes, listeners and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function")
      node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "class") node.className = String(value);
    else if (name === "style") node.style.cssText = String(value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/**
 * The first element below `root` that matches a selector. Throws where there is none: the page's HTML and its
 * script do not belong together.
 * @template {Element} [Kind=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => Kind} [kind] the class of the element, as in `find(page, "input", HTMLInputElement)`
 * @returns {Kind}
 */
export function find(root, selector, kind) {
  const found = root.querySelector(selector);
  if (!found || (kind && !(found instanceof kind))) throw new Error(`This page has no ${selector}.`);
  return /** @type {Kind} */ (found);
}

/** @param {ChildNode} one @param {Node} other */
const isAlike = (one, other) =>
  one.nodeName === other.nodeName &&
  (!(one instanceof HTMLElement && other instanceof HTMLElement) || one.dataset.id === other.dataset.id);

/**
 * Fill a box anew. What differs only in words and attributes stays, and with it a press that has begun, the focus and
 * the listeners of the first time; `data-id` says what an element is about.
 * @param {Element} box
 * @param {Node[]} content
 */
export function renew(box, content) {
  const before = [...box.childNodes];
  for (const now of content) {
    const at = before.findIndex((old) => isAlike(old, now));
    const old = at < 0 ? undefined : before[at];
    for (const gone of before.splice(0, at + 1)) if (gone !== old) gone.remove();
    if (old === now) continue;
    if (!old) box.insertBefore(now, before[0] || null);
    else if (old instanceof Element && now instanceof Element) {
      for (const name of old.getAttributeNames()) if (!now.hasAttribute(name)) old.removeAttribute(name);
      for (const { name, value } of now.attributes) old.setAttribute(name, value);
      renew(old, [...now.childNodes]);
    } else old.nodeValue = now.nodeValue;
  }
  for (const gone of before) gone.remove();
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An SVG over a picture of `width` x `height` pixels.
 * @param {number} width
 * @param {number} height
 * @param {...[className: string, d: string]} paths
 */
export function drawing(width, height, ...paths) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  for (const [name, d] of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/**
 * Follow the pointer that pressed an element until it is released.
 * @param {PointerEvent} event the press
 * @param {(event: PointerEvent) => void} step called for every movement
 * @param {() => void} [end]
 */
export function drag(event, step, end = () => {}) {
  const view = /** @type {HTMLElement} */ (event.currentTarget);
  event.preventDefault();
  view.setPointerCapture(event.pointerId);
  const finish = () => {
    view.removeEventListener("pointermove", step);
    view.removeEventListener("pointerup", finish);
    view.removeEventListener("pointercancel", finish);
    end();
  };
  view.addEventListener("pointermove", step);
  view.addEventListener("pointerup", finish);
  view.addEventListener("pointercancel", finish);
}

/**
 * Let the browser save a file that the server has.
 * @param {{ address: string, name: string }} file
 */
export function save({ address, name }) {
  const link = make("a", { href: new URL(address, document.baseURI).href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}
