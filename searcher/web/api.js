// Asking the service: every answer is JSON, everything else becomes a `Problem`.

import { signIn } from "./signin.js";

const UNREACHED_S = 5;

/**
 * An answer that is none, in a sentence for people. `retryAfter`: seconds after which it is worth
 * asking again, 0 where that is of no use.
 */
export class Problem extends Error {
  /** @param {string} sentence @param {number} [retryAfter] */
  constructor(sentence, retryAfter = 0) {
    super(sentence);
    this.retryAfter = retryAfter;
  }
}

/**
 * The JSON of a route. Asks for the API key where one is wanted. Rejects with a `Problem`, or with an AbortError if `init.signal` says so.
 *
 * @param {string} path
 * @param {RequestInit} [init]
 */
export async function call(path, init = {}) {
  for (;;) {
    const response = await reach(path, init);
    if (response.ok) return response.json();
    if (response.status !== 401) throw await problem(response);
    await signIn();
  }
}

/** @param {string} path @param {unknown} body @param {AbortSignal} [signal] */
export const post = (path, body, signal) =>
  call(path, {
    method: "POST",
    signal,
    ...(body instanceof FormData
      ? { body }
      : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  });

async function reach(/** @type {string} */ path, /** @type {RequestInit} */ init) {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    const why = navigator.onLine ? "The service cannot be reached." : "This device is offline.";
    throw new Problem(why, UNREACHED_S);
  }
}

async function problem(/** @type {Response} */ response) {
  const told = await response.json().catch(() => ({}));
  const faults = (told.errors ?? []).map((/** @type {any} */ one) => `${one.at}: ${one.message}`);
  const sentence = told.detail || told.title || `The service answered ${response.status}.`;
  return new Problem(
    faults.length ? `${sentence}: ${faults.join("; ")}` : sentence,
    Number(response.headers.get("Retry-After")) || 0,
  );
}
