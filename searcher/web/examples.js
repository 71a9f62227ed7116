// The examples of a query: a chip for each, and the heading that names them all.

import { call } from "./api.js";
import { byId, foreign, h, icon, visible } from "./dom.js";
import { go } from "./state.js";
import { upload } from "./uploads.js";

/** @typedef {import("./state.js").Example} Example */

const INVITATION = "Find the pictures that look like this one";
const MOST_NAMES = 3;

/** @type {Map<string, string>} names of indexed pictures by id */
const names = new Map();

/** @param {{id: string, path: string}[]} images indexed pictures that may become examples */
export function learnNames(images) {
  for (const { id, path } of images) names.set(id, path.split("/").slice(-2).join("/"));
}

/**
 * Ask for the names of indexed examples that are not known yet, and show them.
 *
 * @param {Example[]} examples
 * @param {AbortSignal} signal
 */
export async function nameExamples(examples, signal) {
  const unknown = examples.filter((one) => one.id !== undefined && !names.has(one.id));
  await Promise.all(
    unknown.map(async ({ id }) => {
      try {
        learnNames([await call(`/images/${encodeURIComponent(id)}/record`, { signal })]);
      } catch {
        // Deleted meanwhile, or out of reach: it keeps its number.
      }
    }),
  );
  if (unknown.some((one) => names.has(one.id)) && !signal.aborted) showExamples(examples);
}

/** @param {Example[]} examples */
export function showExamples(examples) {
  const held = document.activeElement?.getAttribute("data-chip");
  byId("ask-title").textContent = examples.length ? heading(examples) : INVITATION;
  byId("chips").replaceChildren(...examples.map((one, place) => chip(one, place, examples)));
  if (held)
    /** @type {HTMLElement | null} */ (
      document.querySelector(`[data-chip="${held}"]`) ?? byId("add")
    )?.focus();
}

/** "Pictures that look like a.jpg and b.jpg, not like c.jpg". @param {Example[]} examples */
function heading(examples) {
  const named = (/** @type {boolean} */ unlike) =>
    examples
      .map((one, place) => ({ unlike: one.unlike, name: visible(nameOf(one, place)) }))
      .filter((one) => one.unlike === unlike)
      .map((one) => one.name);
  const [wanted, unwanted] = [named(false), named(true)];
  return [
    `Pictures that look like ${wanted.length ? listed(wanted, "and") : "…"}`,
    ...(unwanted.length ? [`not like ${listed(unwanted, "or")}`] : []),
  ].join(", ");
}

function listed(/** @type {string[]} */ all, /** @type {"and" | "or"} */ conjunction) {
  if (all.length === 1) return all[0];
  const many = all.length > MOST_NAMES;
  const most = all.slice(0, many ? MOST_NAMES - 1 : -1);
  const last = many ? `${all.length - most.length} more` : all.at(-1);
  return `${most.join(", ")} ${many ? "and" : conjunction} ${last}`;
}

const nameOf = (/** @type {Example} */ one, /** @type {number} */ place) =>
  one.name ?? names.get(one.id) ?? `picture ${place + 1}`;

function chip(
  /** @type {Example} */ one,
  /** @type {number} */ place,
  /** @type {Example[]} */ all,
) {
  const name = nameOf(one, place);
  const others = all.filter((other) => other !== one);
  const turned = all.map((other) => (other === one ? { ...one, unlike: !one.unlike } : other));
  const says = one.unlike ? "not like" : all.length > 1 && place ? "and like" : "like";
  return h(
    "li",
    { class: one.unlike ? "chip unlike" : "chip" },
    preview(one, one.unlike ? `not like ${name}` : name),
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

function preview(/** @type {Example} */ one, /** @type {string} */ alt) {
  const source = one.id
    ? `/images/${encodeURIComponent(one.id)}/thumbnail?size=160`
    : upload(one.file)?.preview;
  const blank = (/** @type {string} */ shown, /** @type {string} */ why) =>
    h(
      "span",
      { class: "blank", role: "img", "aria-label": `${visible(alt)}: ${why}`, title: why },
      shown,
    );
  const kind = visible((one.name ?? "").split(".").pop().slice(0, 4)).toUpperCase();
  if (!source) return blank(kind, "was only kept while the page was open");
  const image = h("img", {
    src: source,
    alt: visible(alt),
    title: visible(alt),
    width: 72,
    height: 72,
    onerror: () =>
      image.replaceWith(
        // Some formats, HEIC for one, the service can read and the browser cannot.
        one.id ? blank("cannot be read now", "cannot be read now") : blank(kind, "cannot be shown"),
      ),
  });
  return image;
}
