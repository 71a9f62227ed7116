// The question itself: a chip for each picture that is asked with.

import { byId, foreign, h, icon } from "./dom.js";
import { go } from "./state.js";
import { upload } from "./uploads.js";

/** @typedef {import("./state.js").Example} Example */

/** @param {Example[]} examples */
export function showExamples(examples) {
  const held = document.activeElement?.getAttribute("data-chip");
  byId("chips").replaceChildren(...examples.map((one, place) => chip(one, place, examples)));
  if (held)
    /** @type {HTMLElement | null} */ (
      document.querySelector(`[data-chip="${held}"]`) ?? byId("add")
    )?.focus();
}

function chip(
  /** @type {Example} */ one,
  /** @type {number} */ place,
  /** @type {Example[]} */ all,
) {
  const name = one.name ?? `picture ${place + 1}`;
  const others = all.filter((other) => other !== one);
  const turned = all.map((other) => (other === one ? { ...one, unlike: !one.unlike } : other));
  const says = one.unlike ? "not like" : all.length > 1 && place ? "and like" : "like";
  return h(
    "li",
    { class: one.unlike ? "chip unlike" : "chip" },
    preview(one),
    all.length === 1
      ? h("span", { class: "says" }, says)
      : h(
          "button",
          {
            type: "button",
            class: "says",
            "data-chip": `turn-${place}`,
            title: "Turn between like and not like",
            onclick: () => go({ examples: turned }),
          },
          says,
          h("span", { class: "visually-hidden" }, " ", foreign(name), ", turn around"),
        ),
    h(
      "button",
      {
        type: "button",
        class: "round",
        title: "Take it out",
        "data-chip": `out-${place}`,
        onclick: () => go({ examples: others }),
      },
      icon("close"),
      h("span", { class: "visually-hidden" }, "Take out ", foreign(name)),
    ),
  );
}

function preview(/** @type {Example} */ one) {
  const source = one.id
    ? `/images/${encodeURIComponent(one.id)}/thumbnail?size=160`
    : upload(one.file)?.preview;
  const blank = () => h("span", { class: "blank" }, (one.name ?? "?").split(".").pop().slice(0, 4));
  if (!source) return blank();
  // Some formats, HEIC for one, the service can read and the browser cannot.
  const image = h("img", {
    src: source,
    alt: one.name ?? "",
    width: 48,
    height: 48,
    onerror: () => image.replaceWith(blank()),
  });
  return image;
}
