// The query, its options and the view, as the address and the history hold them.

/**
 * An example: an indexed picture by `id`, or a file of this tab by `file` (see uploads.js).
 *
 * @typedef {{id?: string, file?: number, name?: string, unlike: boolean}} Example
 * @typedef {{probes: string, n: number, where: string[], tier: string, percentile: number}} Options
 * @typedef {{view: "search" | "clusters", cluster: number | null, examples: Example[],
 *   options: Options}} State
 */

/** @type {Options} */
const USUAL = { probes: "auto", n: 24, where: [], tier: "", percentile: 0 };

/** @type {Set<(state: State) => void>} */
const listeners = new Set();

/** @param {(state: State) => void} listener called after every change, and on back and forward */
export function onChange(listener) {
  listeners.add(listener);
}

/** @returns {State} the state of the address that is shown */
export function current() {
  return parse(new URLSearchParams(location.search), history.state?.examples);
}

/** Go to a state. @param {Partial<State>} change a field that is left out stays as it is */
export function go(change) {
  const state = { ...current(), ...change };
  // The address can name only what is indexed; files are in the history of this tab.
  const hasFiles = state.examples.some((one) => one.file !== undefined);
  const held = hasFiles ? { examples: state.examples } : null;
  history.pushState(held, "", address(state));
  for (const listener of listeners) listener(current());
}

/** @param {Partial<State>} change @returns {string} where a link to that state leads */
export function address(change) {
  const state = { ...current(), ...change };
  const query = new URLSearchParams();
  if (state.view === "clusters") {
    query.set("view", "clusters");
    if (state.cluster !== null) query.set("cluster", String(state.cluster));
  }
  for (const one of state.examples) if (one.id) query.append(one.unlike ? "not" : "id", one.id);
  for (const [name, value] of Object.entries(state.options))
    if (name === "where") for (const condition of value) query.append("where", condition);
    else if (value !== USUAL[name]) query.set(name, String(value));
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

/** @param {string} id the address that asks with this picture alone */
export const addressOf = (id) =>
  address({ view: "search", cluster: null, examples: [{ id, unlike: false }] });

addEventListener("popstate", () => {
  for (const listener of listeners) listener(current());
});

/**
 * @param {URLSearchParams} query
 * @param {Example[] | undefined} held
 * @returns {State}
 */
function parse(query, held) {
  const named = (/** @type {string} */ name, /** @type {boolean} */ unlike) =>
    query.getAll(name).map((id) => ({ id, unlike }));
  const number = (/** @type {string} */ name, /** @type {number} */ usual) => {
    const value = Number(query.get(name) ?? usual);
    return Number.isFinite(value) && value >= 0 ? value : usual;
  };
  const cluster = query.get("cluster");
  return {
    view: query.get("view") === "clusters" ? "clusters" : "search",
    cluster: cluster !== null && /^\d+$/.test(cluster) ? Number(cluster) : null,
    examples: held ?? [...named("id", false), ...named("not", true)],
    options: {
      probes: query.get("probes") ?? USUAL.probes,
      n: Math.round(number("n", USUAL.n)) || USUAL.n,
      where: query.getAll("where"),
      tier: query.get("tier") ?? USUAL.tier,
      percentile: number("percentile", USUAL.percentile),
    },
  };
}
