// The dialog that asks for an API key. The service answers with a cookie that scripts cannot read.

import { byId } from "./dom.js";

/** @type {Promise<void> | null} */
let waiting = null;

/** Resolves once the key was taken; several callers share one dialog. */
export function signIn() {
  waiting ??= ask().finally(() => (waiting = null));
  return waiting;
}

/** @returns {Promise<void>} */
function ask() {
  const dialog = byId("sign-in");
  const [form, key, error] = ["sign-in-form", "sign-in-key", "sign-in-error"].map(byId);
  error.textContent = "";
  dialog.showModal();
  // There is nothing behind it to go back to.
  dialog.oncancel = (/** @type {Event} */ event) => event.preventDefault();
  return new Promise((done) => {
    form.onsubmit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      error.textContent = await refused(key.value);
      if (error.textContent) return key.select();
      key.value = "";
      dialog.close();
      return done();
    };
  });
}

/** @param {string} key @returns {Promise<string>} why not; empty if it was taken */
async function refused(key) {
  // A header takes no other characters; such a key cannot be right.
  if (!/^[\x21-\x7e]+$/.test(key)) return "This key is not known.";
  try {
    const response = await fetch("/session", { method: "POST", headers: { "X-API-Key": key } });
    if (response.ok) return "";
    const told = await response.json().catch(() => null);
    return told?.detail ?? "This key is not known.";
  } catch {
    return "The service cannot be reached.";
  }
}
