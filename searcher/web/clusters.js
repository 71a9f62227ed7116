// All clusters with their typical pictures, and the pictures of one.

import { call } from "./api.js";
import { announce, h } from "./dom.js";
import { clusterName, plural, score, share, sized } from "./format.js";
import { caption, cell, grid, thumbnail } from "./grid.js";
import { address, addressOf } from "./state.js";

const PAGE = 60;

/** @param {AbortSignal} signal @returns {Promise<HTMLElement>} */
export async function clustersView(signal) {
  const { clusters, total } = await call("/clusters?samples=6", { signal });
  const held = clusters.filter((/** @type {any} */ one) => one.size);
  announce(`${plural(held.length, "cluster")}, ${plural(total, "picture")}`);
  return h(
    "div",
    {},
    h("h1", {}, "Clusters"),
    h(
      "p",
      { class: "lead" },
      `${plural(total, "picture")} in ${plural(clusters.length, "cluster")}. A question is asked in the nearest one.`,
    ),
    h("ul", { class: "clusters" }, ...clusters.map(clusterCard)),
  );
}

function clusterCard(/** @type {any} */ { number, label, size, share: part, samples }) {
  const pictures = samples.map((/** @type {any} */ one) =>
    h("img", { src: sized(one.links.thumbnail, 320), alt: "", loading: "lazy", decoding: "async" }),
  );
  return h(
    "li",
    {},
    h(
      "a",
      { class: "cluster", href: address({ view: "clusters", cluster: number }) },
      h("span", { class: "mosaic" }, ...pictures),
      h(
        "span",
        { class: "row" },
        h("strong", {}, clusterName(label)),
        h("span", { class: "score" }, `${plural(size, "picture")} · ${share(part, 1)}`),
      ),
      h("span", { class: "meter", vars: { "--share": part }, "aria-hidden": "true" }),
    ),
  );
}

/**
 * One cluster, the most typical pictures first; more of them come as one scrolls.
 *
 * @param {number} number @param {AbortSignal} signal @returns {Promise<HTMLElement>}
 */
export async function clusterView(number, signal) {
  const first = await call(pageOf(number, null), { signal });
  announce(`${clusterName(first.label)}, ${plural(first.size, "picture")}`);
  const view = h(
    "div",
    {},
    h(
      "p",
      { class: "back" },
      h("a", { href: address({ view: "clusters", cluster: null }) }, "All clusters"),
    ),
    h("h1", {}, clusterName(first.label)),
    h(
      "p",
      { class: "lead" },
      `${plural(first.size, "picture")}, the most typical first. Click one to ask with it.`,
    ),
  );
  if (first.images.length) {
    const list = grid(`Pictures of ${clusterName(first.label)}`, first.images.map(pictureCard));
    view.append(list);
    if (first.next) view.append(goOn(list, number, first.next, signal));
  } else view.append(h("p", { class: "nothing" }, "No picture is in this cluster."));
  return view;
}

function pictureCard(/** @type {any} */ image) {
  const size = { width: image.width ?? 1, height: image.height ?? 1 };
  return cell(
    h(
      "a",
      { href: addressOf(image.id), "data-id": image.id },
      thumbnail(image),
      h(
        "span",
        { class: "row" },
        caption(image.path),
        h(
          "span",
          { class: "score", title: "Cosine with the cluster's centre" },
          score(image.score),
        ),
      ),
    ),
    size,
  );
}

const pageOf = (/** @type {number} */ number, /** @type {string | null} */ cursor) =>
  `/clusters/${number}?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;

/** A button that brings the next page, and presses itself when it comes into sight. */
function goOn(
  /** @type {HTMLElement} */ list,
  /** @type {number} */ number,
  /** @type {string} */ cursor,
  /** @type {AbortSignal} */ signal,
) {
  let [next, busy] = [cursor, false];
  const error = h("p", { class: "problem", role: "alert", hidden: true });
  const button = h(
    "button",
    { type: "button", class: "more-pictures", onclick: bring },
    "More pictures",
  );
  const end = h("div", { class: "end" }, error, button);
  const seen = new IntersectionObserver(
    ([entry]) => entry.isIntersecting && error.hidden && bring(),
    { rootMargin: "600px" },
  );
  seen.observe(button);
  signal.addEventListener("abort", () => seen.disconnect());

  async function bring() {
    if (busy) return;
    busy = true;
    error.hidden = true;
    try {
      const page = await call(pageOf(number, next), { signal });
      const cells = page.images.map(pictureCard);
      for (const link of cells.flatMap((/** @type {Element} */ one) => [
        ...one.querySelectorAll("a"),
      ]))
        link.tabIndex = -1;
      const pressed = document.activeElement === button;
      list.append(...cells);
      if (pressed) cells[0]?.querySelector("a").focus();
      next = page.next;
      if (!next) {
        seen.disconnect();
        end.remove();
      } else {
        seen.unobserve(button); // told again where it lies now
        seen.observe(button);
      }
    } catch (problem) {
      if (signal.aborted) return;
      error.textContent = /** @type {Error} */ (problem).message;
      error.hidden = false;
    } finally {
      busy = false;
    }
  }
  return end;
}
