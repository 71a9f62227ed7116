// Elements from plain values. Text only ever becomes text: nothing here parses HTML.

/**
 * An element. `on*` properties are listeners, `vars` are custom properties of its style,
 * null and false leave an attribute out; children that are null or false are passed over.
 *
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | number | null | false | undefined)} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "vars") {
      for (const [key, of] of Object.entries(value)) element.style.setProperty(key, String(of));
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((one) => one !== null && one !== false && one !== undefined));
  return element;
}

/** @param {string} id @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Text that somebody else wrote, a file name for one: its direction stays its own, and what would
 * act instead of being seen (control characters, overrides of direction) is shown as a sign.
 *
 * @param {string} text
 */
export function foreign(text) {
  return h("bdi", {}, visible(text));
}

/** @param {string} text */
export function visible(text) {
  return text
    .replace(/[\u0000-\u001f]/g, (one) => String.fromCharCode(0x2400 + one.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** Text in which what stands between backticks is code. @param {string} text */
export const ticked = (text) =>
  text.split("`").map((part, place) => (place % 2 ? h("code", {}, part) : part));

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  add: "M12 5v14M5 12h14",
  camera: "M4 8h3l2-3h6l2 3h3v11H4zM12 10a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4z",
  close: "M6 6l12 12M18 6L6 18",
  dice: "M5 5h14v14H5zM9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01",
  filter: "M4 6h16M7 12h10M10 18h4",
  left: "M15 5l-7 7 7 7",
  like: "M4 4h11v11H4zM9 19v1h11V9h-1",
  options: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  right: "M9 5l7 7-7 7",
  unlike: "M5 12h14",
  upload: "M12 16V5M7 10l5-5 5 5M5 19h14",
};

/** @param {keyof typeof ICONS} name a 20 pixel line drawing, hidden from screen readers */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Say something to screen readers without moving the focus. @param {string} text */
export function announce(text) {
  byId("live").textContent = text;
}
