// A grid of pictures in rows of one height, each picture with its own proportions.

import { foreign, h, visible } from "./dom.js";
import { fileName, sized } from "./format.js";

const NARROWEST = 0.7;
const WIDEST = 2.2;

/** @param {number} width @param {number} height the proportions of its place, never a sliver */
export const ratio = (width, height) => Math.min(WIDEST, Math.max(NARROWEST, width / height || 1));

/**
 * A list of pictures with one of them in the order of Tab; the arrow keys go to the others.
 *
 * @param {string} label
 * @param {HTMLElement[]} cells each holds one `.cell-main`
 */
export function grid(label, cells) {
  const list = h("ul", { class: "grid", "aria-label": label, onkeydown: move }, ...cells);
  list.addEventListener("focusin", (/** @type {FocusEvent} */ event) => {
    const cell = event.target instanceof Element && event.target.closest(".cell");
    if (cell) reachable(list, cell);
  });
  reachable(list, cells[0]);
  return list;
}

/**
 * A picture in its place, which is as large before the picture has come as after.
 *
 * @param {{path: string, width?: number, height?: number, links: {thumbnail: string}}} image
 */
export function thumbnail({ path, width, height, links }) {
  const picture = h("img", {
    src: sized(links.thumbnail, 320),
    srcset: `${sized(links.thumbnail, 320)} 1x, ${sized(links.thumbnail, 640)} 2x`,
    width,
    height,
    alt: "",
    loading: "lazy",
    decoding: "async",
    onerror: () => picture.replaceWith(h("span", { class: "gone" }, "cannot be read now")),
  });
  const frame = h("span", { class: "frame" }, picture);
  frame.title = visible(fileName(path));
  return frame;
}

/** @param {any} main @param {{width: number, height: number}} size @param {...any} rest */
export function cell(main, size, ...rest) {
  main.classList.add("cell-main");
  const vars = { "--ratio": ratio(size.width, size.height).toFixed(3) };
  return h("li", { class: "cell", vars }, main, ...rest);
}

/** @param {string} path */
export const caption = (path) => h("span", { class: "name" }, foreign(fileName(path)));

/** @param {number} number @returns {HTMLElement} a grid that waits for its pictures */
export function waiting(number) {
  const ratios = [0.75, 1.33, 0.8, 1, 1.5, 0.75, 1.2, 0.9];
  return h(
    "div",
    { class: "grid waiting", "aria-hidden": "true" },
    ...Array.from({ length: Math.min(number, 24) }, (_, place) =>
      h(
        "div",
        { class: "cell", vars: { "--ratio": ratios[place % ratios.length] } },
        h("span", { class: "frame" }),
        h("span", { class: "line" }),
        h("span", { class: "line" }),
      ),
    ),
  );
}

function reachable(/** @type {Element} */ list, /** @type {Element | undefined} */ chosen) {
  /** @type {HTMLElement} */ for (const one of list.querySelectorAll(".cell"))
    for (const focusable of one.querySelectorAll("a, button"))
      focusable.tabIndex = one === chosen ? 0 : -1;
}

function move(/** @type {KeyboardEvent} */ event) {
  const cell = event.target instanceof Element && event.target.closest(".cell");
  if (!cell || event.altKey || event.ctrlKey || event.metaKey) return;
  const cells = [...cell.parentElement.querySelectorAll(".cell")];
  const next = beside(event.key, cells, cells.indexOf(cell));
  if (!next) return;
  event.preventDefault();
  next.querySelector(".cell-main").focus();
}

/** The cell that a key leads to; rows are as wide as the window lets them be. */
function beside(
  /** @type {string} */ key,
  /** @type {Element[]} */ cells,
  /** @type {number} */ at,
) {
  switch (key) {
    case "ArrowLeft":
      return cells[at - 1];
    case "ArrowRight":
      return cells[at + 1];
    case "Home":
      return cells[0];
    case "End":
      return cells.at(-1);
    case "ArrowUp":
      return across(cells, at, -1);
    case "ArrowDown":
      return across(cells, at, 1);
  }
}

/** The cell of the row above (-1) or below (1) whose middle is nearest. */
function across(
  /** @type {Element[]} */ cells,
  /** @type {number} */ at,
  /** @type {number} */ way,
) {
  const boxes = cells.map((one) => one.getBoundingClientRect());
  const here = boxes[at];
  const others = boxes.filter((one) => way * (one.top - here.top) > 1);
  if (!others.length) return undefined;
  const top =
    way > 0 ? Math.min(...others.map((one) => one.top)) : Math.max(...others.map((one) => one.top));
  const middle = (/** @type {DOMRect} */ box) => box.left + box.width / 2;
  const row = others.filter((one) => Math.abs(one.top - top) <= 1);
  row.sort((a, b) => Math.abs(middle(a) - middle(here)) - Math.abs(middle(b) - middle(here)));
  return cells[boxes.indexOf(row[0])];
}
