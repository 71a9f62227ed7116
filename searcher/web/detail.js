// One result, large: what is known of it and what can be done with it.

import { byId, foreign, h, icon, visible } from "./dom.js";
import { facts, reason } from "./facts.js";
import { clusterNumber, fileName, likeness, sized } from "./format.js";
import { address } from "./state.js";

/** @typedef {import("./question.js").Result} Result */

/**
 * Shows results in the dialog, one at a time.
 *
 * `to.like` asks with a picture alone, `to.add` adds it to the question, `to.reasons` gives the
 * values of why a result is one.
 */
export class Detail {
  /**
   * @param {{like: (id: string) => void, add: (id: string, unlike: boolean) => void,
   *   reasons: () => Promise<Map<string, any>>}} to
   */
  constructor(to) {
    this.to = to;
    /** @type {Result[]} */ this.results = [];
    this.place = 0;
    this.dialog = byId("detail");
    this.dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) =>
      this.key(event),
    );
    this.dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      if (event.target === this.dialog) this.dialog.close(); // the ground beside it
    });
    this.dialog.addEventListener("close", () => {
      const id = CSS.escape(this.results[this.place]?.id ?? "");
      /** @type {HTMLElement | null} */ (document.querySelector(`[data-id="${id}"]`))?.focus();
    });
  }

  /** @param {Result[]} results @param {number} place which of them */
  open(results, place) {
    this.results = results;
    this.show(place);
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** @param {number} place */
  show(place) {
    this.place = place;
    const result = this.results[place];
    const held = document.activeElement?.getAttribute("data-act");
    this.dialog.replaceChildren(this.picture(result), this.panel(result));
    const again = `[data-act="${held}"]:not(:disabled)`;
    if (held) (this.dialog.querySelector(again) ?? this.dialog.querySelector(".main")).focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = this.place + (step ?? 0);
    if (!step || !this.results[next]) return;
    event.preventDefault();
    this.show(next);
  }

  /** @param {Result} result */
  picture({ links, path, record }) {
    const preview = `url("${sized(links.thumbnail, 320)}")`; // most often it is there already
    const image = h("img", {
      src: links.image,
      vars: { "--preview": preview },
      width: record?.width,
      height: record?.height,
      alt: "",
      onerror: () => {
        // The browser may not know the format; the thumbnail is always a JPEG.
        if (image.src.includes("/thumbnail"))
          image.replaceWith(h("p", {}, "This picture cannot be read now."));
        else image.src = sized(links.thumbnail, 640);
      },
    });
    image.alt = visible(fileName(path));
    return h(
      "div",
      { class: "stage" },
      this.step(-1, "left", "Previous picture"),
      image,
      this.step(1, "right", "Next picture"),
    );
  }

  step(
    /** @type {number} */ by,
    /** @type {"left" | "right"} */ side,
    /** @type {string} */ label,
  ) {
    const disabled = this.results[this.place + by] === undefined;
    const go = () => this.show(this.place + by);
    return this.button(icon(side), go, { class: `step ${side}`, label, disabled });
  }

  /** @param {Result} result */
  panel(result) {
    return h(
      "div",
      { class: "panel" },
      h(
        "div",
        { class: "panel-top" },
        h("p", { class: "place" }, `${this.place + 1} of ${this.results.length}`),
        this.button(icon("close"), () => this.dialog.close(), { class: "round", label: "Close" }),
      ),
      h("h2", { id: "detail-name" }, foreign(fileName(result.path))),
      h("p", { class: `tier ${result.tier ?? "none"}` }, likeness(result.tier)),
      this.actions(result),
      h("p", { class: "note", role: "status" }),
      facts(result),
      h("div", { class: "why" }),
    );
  }

  /** @param {Result} result */
  actions(result) {
    const { id, links, cluster } = result;
    const leave = (/** @type {() => void} */ does) => () => {
      this.dialog.close();
      does();
    };
    const like = leave(() => this.to.like(id));
    const also = leave(() => this.to.add(id, false));
    const not = leave(() => this.to.add(id, true));
    return h(
      "div",
      { class: "actions" },
      this.button("More like this", like, { class: "main", autofocus: true }),
      this.button("Also like this", also),
      this.button("Not like this", not),
      h("a", { class: "button", href: links.image, target: "_blank" }, "Open original"),
      this.button("Copy path", () => copied(fullPath(result), this.dialog)),
      cluster && h("a", { class: "button", href: clusterAddress(cluster) }, "Show its cluster"),
      this.button("Why is it here?", () => this.why(result)),
    );
  }

  /** A button that keeps the focus when the next picture is shown. */
  button(
    /** @type {string | Node} */ content,
    /** @type {() => void} */ does,
    /** @type {Record<string, any>} */ { label, ...more } = {},
  ) {
    const act = label ?? content;
    return h(
      "button",
      { type: "button", "data-act": act, "aria-label": label, onclick: does, ...more },
      content,
    );
  }

  /** @param {Result} result */
  async why(result) {
    const place = this.dialog.querySelector(".why");
    place.replaceChildren(h("p", { class: "note" }, "Asking …"));
    try {
      const told = (await this.to.reasons()).get(result.id);
      place.replaceChildren(
        h("h3", {}, "Why it is here"),
        told ? reason(told) : h("p", {}, "This picture is no longer among the results."),
      );
    } catch (error) {
      place.replaceChildren(h("p", { class: "problem" }, /** @type {Error} */ (error).message));
    }
  }
}

const clusterAddress = (/** @type {string} */ label) =>
  address({ view: "clusters", cluster: clusterNumber(label) });

const fullPath = (/** @type {Result} */ { root, path }) => `${root.replace(/\/$/, "")}/${path}`;

async function copied(/** @type {string} */ text, /** @type {HTMLElement} */ dialog) {
  const note = dialog.querySelector(".note");
  try {
    await navigator.clipboard.writeText(text);
    note.textContent = "The path is on the clipboard.";
  } catch {
    note.replaceChildren("The browser did not allow it. The path is ", foreign(text));
  }
}
