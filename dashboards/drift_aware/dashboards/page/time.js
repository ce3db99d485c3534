/** Moments on the page, and how long they are ago, kept right while the page stands. */

import { el } from "./element.js";
import { at, lasting } from "./words.js";

const TICK_MS = 5000;

/** By how much the server's clock is ahead of this machine's, milliseconds. */
let ahead = 0;

/** @param {number} ms what the server's clock has just said */
export function setClock(ms) {
  ahead = ms - Date.now();
}

/** @returns {number} the time by the server's clock, milliseconds */
export function now() {
  return Date.now() + ahead;
}

/** @returns {HTMLElement} the clock, and how long ago that was */
export function since(ms) {
  return el("span", {}, moment(ms), " (", ago(ms), ")");
}

/** @returns {HTMLElement} the clock, with the whole date in its title */
export function moment(ms) {
  const date = new Date(ms);
  return el("time", { datetime: date.toISOString(), title: utc(ms) }, at(ms, now()));
}

/** @returns {HTMLElement} as in "12 min", counting on */
export function ago(ms) {
  return el("span", { "data-since": ms }, lasting(now() - ms));
}

/** @returns {string} as in 2026-11-21 15:58:44 UTC */
export function utc(ms) {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Lets every `ago` on the page count on. */
export function countOn() {
  setInterval(() => {
    for (const shown of document.querySelectorAll("[data-since]")) {
      const text = lasting(now() - Number(/** @type {HTMLElement} */ (shown).dataset.since));
      if (shown.textContent !== text) shown.textContent = text;
    }
  }, TICK_MS);
}
