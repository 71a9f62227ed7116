// What the indexer does at this moment, as the service tells it while it happens.

import { byId } from "./dom.js";
import { count, plural } from "./format.js";

const AGAIN_MS = 5000;

/**
 * @typedef {{state: string | null, backlog?: number, done?: number | null, total?: number | null,
 *   images: number}} Report without an indexer there is no state
 */

/**
 * Follow the indexer for as long as the page is open.
 *
 * @param {() => void} changed pictures came or went, or other clusters answer, and all is quiet
 */
export function followIndexer(changed) {
  /** @type {number | undefined} */ let images;
  /** @type {string | undefined} */ let pair;
  /** @type {boolean | undefined} */ let running;
  let stale = false;
  const source = new EventSource("/events");
  source.addEventListener("open", () => lost(false));
  source.addEventListener("indexing", (event) => {
    const report = /** @type {Report} */ (JSON.parse(event.data));
    stale ||= images !== undefined && report.images !== images;
    const first = images === 0 && report.images > 0;
    const other = running !== undefined && running !== Boolean(report.state);
    images = report.images;
    running = Boolean(report.state);
    show(report);
    if ((stale && (first || !report.backlog)) || (other && !images)) {
      stale = false;
      changed();
    }
  });
  source.addEventListener("clusters", (event) => {
    if (pair !== undefined && pair !== event.data) changed();
    pair = event.data;
  });
  source.addEventListener("error", () => {
    lost(true);
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    setTimeout(() => followIndexer(changed), AGAIN_MS);
  });
}

/** @param {number} images how many pictures there are */
export function showCount(images) {
  byId("images").textContent = plural(images, "picture");
}

function show(/** @type {Report} */ { state, backlog, done, total, images }) {
  showCount(images);
  const told = backlog > 0 || /^(degraded|paused|relabelling|fitting|waiting)/.test(state ?? "");
  byId("indexing").hidden = !told;
  if (!told) return;
  byId("indexing-state").textContent = state;
  const bar = byId("indexing-bar");
  bar.hidden = !total;
  if (total) Object.assign(bar, { max: total, value: done, title: `${count(total - done)} to go` });
}

function lost(/** @type {boolean} */ is) {
  byId("lost").hidden = !is;
}
