// Before the first question: pictures to begin with, or how to get some.

import { call } from "./api.js";
import { h, visible } from "./dom.js";
import { fileName } from "./format.js";
import { cell, grid, thumbnail } from "./grid.js";
import { addressOf } from "./state.js";

const MOST = 18;

/**
 * @param {AbortSignal} signal
 * @param {boolean} indexing whether an indexer is at work: then nobody is told to run one
 * @returns {Promise<HTMLElement>}
 */
export async function startView(signal, indexing) {
  const { clusters } = await call("/clusters?samples=6", { signal });
  const samples = mixed(clusters.map((/** @type {any} */ one) => one.samples)).slice(0, MOST);
  if (!samples.length)
    return h(
      "div",
      { class: "nothing" },
      h("h2", {}, "Nothing is indexed yet"),
      h(
        "p",
        {},
        ...(indexing ? [] : ["Run ", h("code", {}, "indexer watch FOLDER"), " beside this service. "]),
        "Pictures appear here as they come in.",
      ),
    );
  return h(
    "div",
    { class: "start" },
    h("h2", {}, "Or begin with one of these"),
    grid(
      "Pictures to begin with",
      samples.map((/** @type {any} */ one) =>
        cell(
          h(
            "a",
            {
              href: addressOf(one.id),
              "data-id": one.id,
              "aria-label": `Ask with ${visible(fileName(one.path))}`,
            },
            thumbnail(one),
          ),
          { width: one.width ?? 1, height: one.height ?? 1 },
        ),
      ),
    ),
  );
}

/** One of each list, then the next of each. @param {any[][]} lists */
const mixed = (lists) =>
  Array.from({ length: Math.max(0, ...lists.map((one) => one.length)) }, (_, place) =>
    lists.map((one) => one[place]),
  )
    .flat()
    .filter(Boolean);
