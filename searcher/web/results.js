// An answer: what was searched, what that finds, and the pictures.

import { foreign, h, icon, visible } from "./dom.js";
import {
  clusterNumber,
  count,
  fileName,
  folder,
  likeness,
  percentile,
  plural,
  score,
  sentence,
  share,
} from "./format.js";
import { caption, cell, grid, thumbnail } from "./grid.js";
import { addressOf } from "./state.js";

const NAMED = 8;

/**
 * @typedef {import("./question.js").Answer} Answer
 * @typedef {import("./question.js").Result} Result
 */

/**
 * @param {Answer} answer
 * @param {number} clusters how many there are
 * @param {{open: (place: number) => void, everything: () => void}} to
 */
export function results(answer, clusters, to) {
  const cells = answer.results.map((one, place) => card(one, () => to.open(place)));
  return h(
    "div",
    { class: "results" },
    summary(answer, clusters, to.everything),
    ...answer.remarks.map((text) => h("p", { class: "remark" }, sentence(text))),
    cells.length
      ? grid("Results", cells)
      : h(
          "p",
          { class: "nothing" },
          "No results. Loosen the filters or search everything.",
        ),
  );
}

/** @param {Answer} answer what a screen reader says of it */
export function told(answer) {
  const best = answer.results[0];
  if (!best) return `No picture found. ${answer.remarks.join(". ")}`;
  const first = `the first, ${visible(fileName(best.path))}, ${likeness(best.tier)}, scores ${score(best.score)}`;
  return [`${plural(answer.results.length, "picture")} found; ${first}`, ...answer.remarks].join(
    ". ",
  );
}

function summary(
  /** @type {Answer} */ answer,
  /** @type {number} */ clusters,
  /** @type {() => void} */ everything,
) {
  const { searched, total, clusters_searched: looked, recall } = answer;
  const part = share(searched, total);
  const facts = [
    h("strong", {}, plural(answer.results.length, "picture")),
    `cluster ${clusterNumber(answer.cluster)}`,
    `searched ${reach(looked, clusters)}: ${count(searched)} of ${count(total)} (${part})`,
    recall && recall.value < 1 && `finds about ${share(recall.value, 1)} of the best`,
    `${Math.max(1, Math.round(answer.took_ms.total))} ms`,
  ];
  return h(
    "div",
    { class: "summary" },
    h(
      "p",
      { class: "facts" },
      ...facts.filter(Boolean).flatMap((one, place) => (place ? [" · ", one] : [one])),
    ),
    h("span", {
      class: "meter",
      vars: { "--share": total ? searched / total : 0 },
      "aria-hidden": "true",
    }),
    looked.length < clusters &&
      h("button", { class: "quiet", id: "everything", onclick: everything }, "Search everything"),
  );
}

/** "clusters 3, 1 of 6", "all 6 clusters". @param {string[]} looked @param {number} clusters */
function reach(looked, clusters) {
  if (looked.length === clusters) return `all ${plural(clusters, "cluster")}`;
  const named = looked.slice(0, NAMED).map(clusterNumber).join(", ");
  const more = looked.length > NAMED ? ` and ${count(looked.length - NAMED)} more` : "";
  return `${looked.length === 1 ? "cluster" : "clusters"} ${named}${more} of ${count(clusters)}`;
}

function card(/** @type {Result} */ result, /** @type {() => void} */ open) {
  const { id, path, root, record, tier } = result;
  const size = { width: record?.width ?? 1, height: record?.height ?? 1 };
  const main = h(
    "button",
    { type: "button", "data-id": id, onclick: open },
    thumbnail({ path, ...size, links: result.links }),
    h("span", { class: "row" }, caption(path), h("span", { class: "score" }, score(result.score))),
    h(
      "span",
      { class: "row" },
      h("span", { class: `tier ${tier ?? "none"}` }, likeness(tier)),
      result.percentile !== null &&
        h(
          "span",
          { class: "score", title: alikeThan(result.percentile) },
          h("span", { class: "visually-hidden" }, "more alike than "),
          result.percentile < 100 && h("span", { "aria-hidden": "true" }, "> "),
          `${percentile(result.percentile)}%`,
        ),
    ),
    h("span", { class: "folder" }, foreign(folder(path, root))),
  );
  const more = h(
    "a",
    { class: "more", href: addressOf(id), title: "More like this" },
    icon("like"),
    h("span", { class: "visually-hidden" }, "More like ", foreign(fileName(path))),
  );
  return cell(main, size, more);
}

/** @param {number} value */
export const alikeThan = (value) =>
  `More alike than ${percentile(value)}% of all pairs of pictures`;
