// From examples and options to an answer.

import { post } from "./api.js";
import { upload } from "./uploads.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {{id: string, root: string, path: string, score: number, cluster: string | null,
 *   tier: string | null, percentile: number | null, explain: any, record: any,
 *   links: {image: string, thumbnail: string, record: string}}} Result
 * @typedef {{query: string, cluster: string, clusters_searched: string[], searched: number,
 *   matching: number, total: number, number: number, recall: {value: number, kind: string} | null,
 *   remarks: string[], took_ms: {total: number}, results: Result[]}} Answer
 */

const REMEMBERED = 20;

/** @type {Map<string, Answer>} answers by question, so that going back shows them at once */
const answers = new Map();

/** @param {State} state whether there is a picture to be like, and every file is still here */
export const isAskable = (state) =>
  state.examples.some((one) => !one.unlike) && lost(state).length === 0;

/** @param {State} state files that a reload has taken away */
export const lost = (state) =>
  state.examples.filter((one) => one.file !== undefined && !upload(one.file));

/** @param {State} state @returns {Answer | undefined} */
export const remembered = (state) => answers.get(nameOf(state));

/** What was answered may no longer hold: the index has changed. */
export const forget = () => answers.clear();

/** @param {State} state @param {AbortSignal} signal @returns {Promise<Answer>} */
export async function ask(state, signal) {
  const answer = await post("/search", body(state), signal);
  // An image that was deleted during the search has no links any more.
  answer.results = answer.results.filter((/** @type {Result} */ one) => one.links);
  if (answers.size >= REMEMBERED) answers.delete(answers.keys().next().value);
  answers.set(nameOf(state), answer);
  return answer;
}

/** @param {State} state why each result is one, by its id */
export async function reasons(state) {
  const answer = await post("/search", body(state, { explain: true, records: false }));
  return new Map(answer.results.map((/** @type {Result} */ one) => [one.id, one.explain]));
}

/** @returns {Promise<string>} the id of an indexed picture, any of them */
export async function anyPicture() {
  return (await post("/search", { random: true, n: 1 })).query;
}

function body(/** @type {State} */ state, more = {}) {
  const { probes, n, where, tier, percentile } = state.options;
  const ids = (/** @type {boolean} */ unlike) =>
    state.examples.filter((one) => one.id && one.unlike === unlike).map((one) => one.id);
  const options = {
    n,
    probes: /^\d+$/.test(probes) ? Number(probes) : probes,
    where,
    ...(tier ? { tier } : {}),
    ...(percentile ? { min_percentile: percentile } : {}),
    records: true,
    ...more,
  };
  const files = state.examples.filter((one) => one.file !== undefined);
  if (!files.length) return { ids: ids(false), not_ids: ids(true), ...options };
  const form = new FormData();
  for (const one of files) {
    const { file } = upload(one.file);
    form.append(one.unlike ? "not_image" : "image", file, one.name);
  }
  const fields = { ids: ids(false), not_ids: ids(true), ...options };
  for (const [name, value] of Object.entries(fields))
    for (const one of [value].flat()) form.append(name, String(one));
  return form;
}

const nameOf = (/** @type {State} */ state) => JSON.stringify([state.examples, state.options]);
