/** The token: from the address or from a person, kept in this tab, shown nowhere. */

import { sentence } from "./words.js";

const KEY = "drift-aware-token";

/** @returns {string|null} */
export function token() {
  return sessionStorage.getItem(KEY);
}

/** @param {string|null} value */
export function keepToken(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

/**
 * Takes `#token=…` out of the address before anybody can copy it, and out of this tab's history.
 *
 * @returns {boolean} whether there was one
 */
export function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return false;
  keepToken(given);
  history.replaceState(null, "", location.pathname + location.search + "#/");
  return true;
}

/** One question at a time, however many requests were refused meanwhile. */
let asking = null;

/**
 * Asks the person for a token.
 *
 * @param {string} reason why one is needed, as the server gives it
 * @returns {Promise<boolean>} whether there is a new one
 */
export function askForToken(reason) {
  asking ??= ask(reason).finally(() => {
    asking = null;
  });
  return asking;
}

function ask(reason) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("signin"));
  const field = /** @type {HTMLInputElement} */ (document.getElementById("signin-token"));
  document.getElementById("signin-reason").textContent = `${sentence(reason)}.`;
  dialog.returnValue = "";
  dialog.showModal();
  field.focus();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const value = field.value.trim();
        field.value = "";
        const given = dialog.returnValue === "use" && value !== "";
        if (given) keepToken(value);
        resolve(given);
      },
      { once: true },
    );
  });
}
