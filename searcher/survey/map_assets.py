"""Style and script of the map's page: constants, so that the page can name their hashes."""

from __future__ import annotations

from searcher.drawn.html_parts import STYLE

COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
"""Told apart with every kind of colour vision: the *bright* scheme of Paul Tol's technical note
SRON/EPS/TN/09-002, without its grey, which marks pictures that have no cluster."""

SHAPES = (
    "M-4-0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "M-3.6-3.6h7.2v7.2h-7.2z",
    "M0-4.8l4.6 8h-9.2z",
    "M0-5.2l5.2 5.2-5.2 5.2-5.2-5.2z",
)
"""SVG paths around the origin. Clusters beyond the colours begin again with the next shape."""

MAP_STYLE = (
    STYLE
    + """
.board { display: grid; grid-template-columns: minmax(0, 1fr) minmax(15rem, 22rem); gap: 2rem; }
.map { display: block; width: 100%; max-height: 88vh; border: 1px solid var(--box);
  border-radius: .5rem; }
.map use { opacity: .65; }
.map a use { opacity: 1; stroke: var(--ground); stroke-width: 1.2; }
.map a.shown use, .map a:focus use { stroke: var(--ink); stroke-width: 2.5; }
.map a:focus { outline: none; }
.map text { font: 600 22px system-ui, sans-serif; fill: var(--ink); stroke: var(--ground);
  stroke-width: 6px; paint-order: stroke; text-anchor: middle; pointer-events: none; }
.map .dim { opacity: .1; pointer-events: none; }
.map a.dim:focus { opacity: 1; }
.legend { list-style: none; margin: 0 0 1rem; padding: 0; }
.legend li { display: flex; gap: .75rem; align-items: center; margin-bottom: .5rem;
  color: var(--quiet); font-size: .9rem; }
.legend button { flex: none; display: inline-flex; gap: .4rem; align-items: center;
  min-width: 5.5rem; padding: .3rem .6rem; border: 1px solid var(--box); border-radius: .4rem;
  background: none; color: var(--ink); font: inherit; cursor: pointer; }
.legend button[aria-pressed=true] { border-color: var(--ink); }
.legend button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.key { width: 1rem; height: 1rem; flex: none; }
.card { position: fixed; z-index: 1; width: 12rem; padding: .5rem; background: var(--ground);
  border: 1px solid var(--quiet); border-radius: .5rem; pointer-events: none; }
.card img { display: block; width: 100%; height: 11rem; object-fit: contain; }
h2 { font-size: 1.1rem; margin: 0; }
section p { margin: .25rem 0 1rem; }
.none { fill: #8a8a8a; }
@media (max-width: 60rem) { .board { grid-template-columns: 1fr; } }
"""
    + "".join(f".c{number} {{ fill: {color}; }}\n" for number, color in enumerate(COLORS))
)

MAP_SCRIPT = """
(() => {
  const map = document.querySelector(".map"), card = document.querySelector(".card");
  const image = card.querySelector("img"), caption = card.querySelector("figcaption");
  const marks = [...map.querySelectorAll("a")], buttons = [...document.querySelectorAll("button")];
  const reach = 18;
  let shown = null;

  const place = (mark) => {
    const use = mark.firstElementChild;
    return new DOMPoint(+use.getAttribute("x"), +use.getAttribute("y"));
  };

  const hide = () => {
    if (shown) shown.classList.remove("shown");
    shown = null;
    card.hidden = true;
  };

  const show = (mark) => {
    if (mark === shown) return;
    hide();
    shown = mark;
    mark.classList.add("shown");
    image.src = mark.dataset.image;
    image.alt = "";
    caption.textContent = mark.getAttribute("aria-label");
    card.hidden = false;
    const at = place(mark).matrixTransform(map.getScreenCTM()), box = card.getBoundingClientRect();
    const left = at.x + 16 + box.width > innerWidth ? at.x - 16 - box.width : at.x + 16;
    const top = Math.min(at.y + 16, innerHeight - box.height - 8);
    card.style.left = Math.max(8, left) + "px";
    card.style.top = Math.max(8, top) + "px";
  };

  map.addEventListener("pointermove", (event) => {
    const back = map.getScreenCTM().inverse();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(back);
    let best = null, least = reach;
    for (const mark of marks) {
      if (mark.classList.contains("dim")) continue;
      const there = place(mark), away = Math.hypot(there.x - at.x, there.y - at.y);
      if (away < least) [best, least] = [mark, away];
    }
    if (best) show(best); else hide();
  });
  map.addEventListener("pointerleave", hide);
  map.addEventListener("focusin", (event) => {
    const mark = event.target.closest("a");
    if (!mark) return;
    for (const other of marks) {
      if (other.dataset.cluster === mark.dataset.cluster) other.setAttribute("tabindex", "-1");
    }
    mark.setAttribute("tabindex", "0");
    show(mark);
  });
  map.addEventListener("focusout", hide);
  map.addEventListener("keydown", (event) => {
    const mark = event.target.closest("a");
    if (event.key === "Escape") hide();
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!mark || !step) return;
    event.preventDefault();
    const own = marks.filter((other) => other.dataset.cluster === mark.dataset.cluster);
    own[(own.indexOf(mark) + step + own.length) % own.length].focus();
  });
  window.addEventListener("scroll", hide, {passive: true});

  for (const button of buttons) {
    button.addEventListener("click", () => {
      const only = button.getAttribute("aria-pressed") !== "true";
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(only && other === button));
      }
      for (const part of map.querySelectorAll("[data-cluster]")) {
        part.classList.toggle("dim", only && part.dataset.cluster !== button.dataset.cluster);
      }
      hide();
    });
  }
})();
"""
