/** The page's elements. Texts come from users, so they only ever become text nodes. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node|string|number|null|undefined|false} Child */

/**
 * An element of HTML.
 *
 * @param {string} tag
 * @param {Object<string, any>} [attributes] a function listens to the event of its name; true is an attribute
 *   without a value; null, undefined and false are left out
 * @param {...(Child|Child[])} children
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  return /** @type {HTMLElement} */ (furnish(document.createElement(tag), attributes, children));
}

/**
 * The same of SVG.
 *
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  return /** @type {SVGElement} */ (furnish(document.createElementNS(SVG, tag), attributes, children));
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, String(value));
  }
  element.append(...present(children));
  return element;
}

/** @param {any[]} children @returns {(Node|string)[]} */
function present(children) {
  return children
    .flat()
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/** Gives a place new content. */
export function fill(place, ...children) {
  place.replaceChildren(...present(children));
}

/**
 * Brings the children of a place in line with a list. A child that shows what it is to show stays the very
 * same node, with what somebody is writing into it; one that is replaced hands its focus on.
 *
 * @template T
 * @param {Element} place
 * @param {T[]} items
 * @param {(item: T) => [string, string]} key what it is, and the version of it that is shown
 * @param {(item: T) => Element} build
 */
export function keep(place, items, key, build) {
  const known = new Map(Array.from(place.children, (child) => [/** @type {any} */ (child).shows?.id, child]));
  const wanted = items.map((item) => {
    const [id, version] = key(item);
    const there = known.get(id);
    if (there && /** @type {any} */ (there).shows.version === version) return there;
    const node = build(item);
    /** @type {any} */ (node).shows = { id, version };
    if (there) succeed(there, node);
    return node;
  });
  const staying = new Set(wanted);
  for (const child of Array.from(place.children)) if (!staying.has(child)) child.remove();
  // A node that is in its place is not moved: moving takes the focus from what is in it.
  wanted.forEach((node, index) => {
    if (place.children[index] !== node) place.insertBefore(node, place.children[index] ?? null);
  });
}

function succeed(before, after) {
  const spot = focusable(before).indexOf(/** @type {HTMLElement} */ (document.activeElement));
  before.replaceWith(after);
  if (spot >= 0) focusable(after)[spot]?.focus();
}

function focusable(node) {
  return Array.from(
    /** @type {NodeListOf<HTMLElement>} */ (node.querySelectorAll("a[href], button, input, select")),
  );
}
