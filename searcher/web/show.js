// Shows what the address says: a question and its answer, clusters, or why there is neither.

import { call } from "./api.js";
import { clustersView, clusterView } from "./clusters.js";
import { showControls } from "./controls.js";
import { Detail } from "./detail.js";
import { announce, byId, h, ticked, visible } from "./dom.js";
import { learnNames, nameExamples, showExamples } from "./examples.js";
import { filterProblem, isAboutFilter, offerFields, showFilters } from "./filters.js";
import { sentence } from "./format.js";
import { waiting } from "./grid.js";
import { showCount } from "./progress.js";
import { ask, forget, isAskable, lost, reasons, remembered } from "./question.js";
import { results, told } from "./results.js";
import { startView } from "./start.js";
import { current, go } from "./state.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./question.js").Answer} Answer
 */

const SKELETON_AFTER_MS = 120;
const view = byId("view");

/** @type {any} what /stats said; null until it has */
let stats = null;
let running = new AbortController();
/** @type {number | undefined} */ let again;

const detail = new Detail({
  like: (id) => askWith(id),
  add: (id, unlike) =>
    go({ examples: [...current().examples.filter((one) => one.id !== id), { id, unlike }] }),
  reasons: () => reasons(current()),
});

/** @param {string} id ask with this picture alone */
export function askWith(id) {
  go({ view: "search", cluster: null, examples: [{ id, unlike: false }] });
  scrollTo({ top: 0 });
}

/** @param {State} state @param {{quietly?: boolean}} [how] quietly: nothing moves until it is there */
export async function show(state, { quietly = false } = {}) {
  clearTimeout(again);
  running.abort();
  running = new AbortController();
  const { signal } = running;
  outline(state);
  const known = state.view === "search" && !quietly ? remembered(state) : undefined;
  view.removeAttribute("aria-busy");
  if (known) return showAnswer(state, known);
  const skeleton = setTimeout(() => !quietly && swap(waiting(state.options.n)), SKELETON_AFTER_MS);
  view.setAttribute("aria-busy", "true");
  try {
    stats ??= await welcome(signal);
    if (state.view === "clusters")
      swap(
        await (state.cluster === null ? clustersView(signal) : clusterView(state.cluster, signal)),
      );
    else if (!state.examples.length) swap(await startView(signal, Boolean(stats.indexing)));
    else if (isAskable(state)) showAnswer(state, await ask(state, signal));
    else swap(unaskable(state));
  } catch (error) {
    if (!signal.aborted && !quietly) fail(/** @type {Error} */ (error), state);
  } finally {
    clearTimeout(skeleton);
    if (!signal.aborted) view.removeAttribute("aria-busy");
  }
}

/** Everything but the view itself. @param {State} state */
function outline(state) {
  const asked = state.view === "search" && state.examples.length > 0;
  document.title = state.view === "clusters" ? "Clusters · Lookalike" : "Lookalike";
  byId("ask").hidden = state.view === "clusters";
  byId("ask").classList.toggle("asked", asked);
  byId("controls").hidden = !asked;
  for (const link of document.querySelectorAll("nav [data-view]"))
    if (link.getAttribute("data-view") === state.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  showExamples(state.examples);
  showControls(state.options, stats);
  showFilters(state.options.where, []);
  complain("");
  filterProblem("");
}

function showAnswer(/** @type {State} */ state, /** @type {Answer} */ answer) {
  const open = (/** @type {number} */ place) => detail.open(answer.results, place);
  const everything = () => go({ options: { ...state.options, probes: "all" } });
  swap(results(answer, stats.clusters, { open, everything }));
  showFilters(
    state.options.where,
    new Set(answer.results.flatMap((one) => one.record?.folders ?? [])),
  );
  announce(told(answer));
  learnNames(answer.results);
  nameExamples(state.examples, running.signal);
}

/** Put a new view in place of the old one. The focus stays on its picture, or else in the view. */
function swap(/** @type {HTMLElement} */ content) {
  const focus = document.activeElement;
  const inside = view.contains(focus);
  const id = focus?.getAttribute("data-id") ?? "";
  view.replaceChildren(content);
  if (inside)
    (view.querySelector(`[data-id="${CSS.escape(id)}"]`) ?? view).focus({ preventScroll: true });
}

function unaskable(/** @type {State} */ state) {
  const files = lost(state);
  return h(
    "p",
    { class: "nothing" },
    files.length
      ? `${files.map((one) => one.name).join(", ")} was only kept while the page was open: drop it again.`
      : "Add a picture to be like: what is not wanted alone is no question.",
  );
}

function fail(/** @type {any} */ error, /** @type {State} */ state) {
  swap(h("div"));
  if (error.retryAfter) again = setTimeout(() => show(current()), error.retryAfter * 1000);
  if (isAboutFilter(error.message)) filterProblem(error.message);
  else if (state.view === "search" && state.examples.length)
    complain(named(error.message, state) + (error.retryAfter ? ". Retrying automatically." : ""));
  else
    swap(
      h(
        "div",
        { class: "nothing", role: "alert" },
        h("p", {}, ...ticked(sentence(error.message))),
        error.retryAfter ? h("p", {}, "Retrying automatically.") : null,
        h("button", { type: "button", onclick: () => show(current()) }, "Try again"),
      ),
    );
}

/** Of one picture the service says only what it is, without its name. */
function named(/** @type {string} */ sentence, /** @type {State} */ { examples }) {
  const name = examples.length === 1 && examples[0].name;
  return name && /^(is|has|holds|looks|needs|cannot) /.test(sentence)
    ? `${visible(name)} ${sentence}`
    : sentence;
}

/** @param {string} sentence at the question; empty: nothing is wrong */
export function complain(sentence) {
  byId("ask-error").textContent = sentence;
  byId("ask-error").hidden = !sentence;
}

/** What the service is able to do, for the controls. @param {AbortSignal} signal */
async function welcome(signal) {
  const found = await call("/stats", { signal });
  offerFields(found.fields);
  showCount(found.images);
  showControls(current().options, found);
  showFilters(current().options.where, []);
  return found;
}

/** @returns {{upload_bytes: number, examples: number} | undefined} what a question may be */
export const limits = () => stats?.limits;

/** Show the same again, because the index is another. */
export function refresh() {
  forget();
  stats = null;
  // Who has scrolled far through a cluster is not thrown back to its beginning.
  const far = current().cluster !== null && scrollY > innerHeight;
  // A view that is on its way must still arrive, or say why it does not.
  if (!far) show(current(), { quietly: !view.hasAttribute("aria-busy") });
}
