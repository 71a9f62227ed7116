// The page: what people do with it changes the address, and what the address says is shown.

import { listenToControls } from "./controls.js";
import { byId } from "./dom.js";
import { acceptPictures } from "./drop.js";
import { listenToFilters } from "./filters.js";
import { followIndexer } from "./progress.js";
import { anyPicture } from "./question.js";
import { askWith, complain, limits, refresh, show } from "./show.js";
import { current, go, onChange } from "./state.js";
import { keep, unfit } from "./uploads.js";

function take(/** @type {File[]} */ files, /** @type {import("./drop.js").Way} */ way) {
  const before = way === "ask" ? [] : current().examples;
  const wrong = unfit(files, before.length, limits());
  if (wrong) {
    if (current().view !== "search") go({ view: "search", cluster: null, examples: [] });
    return complain(wrong);
  }
  const examples = [...before, ...files.map((file) => ({ ...keep(file), unlike: way === "not" }))];
  go({ view: "search", cluster: null, examples });
}

async function surprise() {
  try {
    askWith(await anyPicture());
  } catch (error) {
    complain(/** @type {Error} */ (error).message);
  }
}

/** Links inside the page change the address without loading it anew. */
function follow(/** @type {MouseEvent} */ event) {
  const link = event.target instanceof Element && event.target.closest("a");
  if (!link || link.target || event.button || event.ctrlKey || event.metaKey || event.shiftKey)
    return;
  const to = new URL(link.href);
  if (to.origin !== location.origin || to.pathname !== "/") return;
  event.preventDefault();
  if (to.hash) return byId(to.hash.slice(1)).focus(); // the address stays what is asked
  byId("detail").close();
  history.pushState(null, "", to);
  show(current());
  scrollTo({ top: 0 });
}

async function begin() {
  listenToControls();
  listenToFilters();
  acceptPictures(take, () => current().view === "search" && current().examples.length > 0);
  for (const button of document.querySelectorAll("[data-press]"))
    button.addEventListener("click", () => byId(button.getAttribute("data-press")).click());
  for (const button of document.querySelectorAll("[data-surprise]"))
    button.addEventListener("click", surprise);
  document.addEventListener("click", follow);
  onChange((state) => show(state));
  await show(current());
  followIndexer(refresh);
}

begin();
