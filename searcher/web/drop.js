// Pictures come in: dropped anywhere, pasted, picked, taken with a camera.

import { byId } from "./dom.js";

/** @typedef {"ask" | "add" | "not"} Way how pictures join the question: as a new one, or to it */

/**
 * @param {(files: File[], way: Way) => void} take
 * @param {() => boolean} hasQuestion whether there is a question to add to
 */
export function acceptPictures(take, hasQuestion) {
  acceptDrops(take, hasQuestion);
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return; // text goes where it was meant to go
    event.preventDefault();
    take(files, "ask");
  });
  for (const id of ["pick", "shoot"]) {
    const input = byId(id);
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = ""; // the same file may be picked again
      if (files.length) take(files, hasQuestion() ? "add" : "ask");
    });
  }
}

function acceptDrops(
  /** @type {(files: File[], way: Way) => void} */ take,
  /** @type {() => boolean} */ hasQuestion,
) {
  const overlay = byId("drop");
  const carriesFiles = (/** @type {DragEvent} */ event) =>
    event.dataTransfer?.types.includes("Files");
  const wayOf = (/** @type {DragEvent} */ event) =>
    /** @type {Way} */ (
      (event.target instanceof Element &&
        event.target.closest("[data-way]")?.getAttribute("data-way")) ||
        "ask"
    );

  addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    overlay.classList.toggle("choice", hasQuestion());
    overlay.hidden = false;
  });
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    overlay.hidden = false;
    for (const one of overlay.children)
      one.classList.toggle("over", one.getAttribute("data-way") === wayOf(event));
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) overlay.hidden = true; // out of the window
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    overlay.hidden = true;
    const files = [...event.dataTransfer.files];
    if (files.length) take(files, hasQuestion() ? wayOf(event) : "ask");
  });
}
