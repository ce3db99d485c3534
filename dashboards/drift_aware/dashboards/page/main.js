/** The page: which part of it is shown, when it is asked for anew, and how the line to the server is. */

import { actionPage } from "./action.js";
import { actionsPage } from "./actions.js";
import { alertPage } from "./alert.js";
import { Refused } from "./api.js";
import { el, fill } from "./element.js";
import { listen } from "./live.js";
import { overviewPage } from "./overview.js";
import { segmentPage } from "./segment.js";
import { countOn } from "./time.js";
import { askForToken, takeFromAddress, token } from "./token.js";
import { sentence } from "./words.js";

/**
 * A part of the page.
 *
 * @typedef {Object} Page
 * @property {string} title
 * @property {(signal: AbortSignal) => Promise<void>} refresh asks the server and shows what it says
 * @property {() => void} [close] gives back what it holds
 */

const LINK = {
  connecting: ["", "connecting"],
  live: ["calm", "live"],
  reconnecting: ["warning", "reconnecting"],
  refused: ["critical", "not let in"],
};

// The stream tells what is new in the database; that nothing is new, or that it is away, has to be asked.
const ANYWAY_MS = 15_000;
const RETRY_MS = 3000;

const main = byId("main");
const trouble = byId("trouble");
let page = null;
let leave = new AbortController();
let asking = false;
let again = false;
let timer = 0;
let line = null;
/** After how long to ask anew, unless something changes; null while there is nothing to be had. */
let pause = ANYWAY_MS;

const tell = {
  changed: refresh,
  release: (release) => fill(byId("release"), `Drift-Aware ${release}`),
  attempt,
};

function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @returns {(main: HTMLElement, tell: any) => Page} what an address stands for */
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [kind, name] = path.split("/").map(decoded);
  if (kind === "segments" && name)
    return (...given) => segmentPage(...given, name, new URLSearchParams(query));
  if (kind === "alerts" && name) return (...given) => alertPage(...given, name);
  if (kind === "actions" && name) return (...given) => actionPage(...given, name);
  if (kind === "actions") return actionsPage;
  return overviewPage;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function navigate(event) {
  if (takeFromAddress() && line) connect();
  page?.close?.();
  leave.abort();
  leave = new AbortController();
  [asking, again] = [false, false];
  page = route()(main, tell);
  document.title = `${sentence(page.title)} · Drift-Aware`;
  for (const link of document.querySelectorAll(".top nav a")) {
    if (link.getAttribute("href") === (location.hash || "#/")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  delete main.dataset.shown;
  scrollTo(0, 0);
  // Not when the page has just been opened: its reader is at the top already.
  refresh().then(() => event && main.querySelector("h1")?.focus());
}

/** Asks for what is shown; while an answer is awaited, once more after it, however often it was called. */
async function refresh() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  const { signal } = leave;
  try {
    const shown = await attempt(() => page.refresh(signal));
    if (shown && !signal.aborted) main.dataset.shown = String(Number(main.dataset.shown ?? 0) + 1);
  } finally {
    if (!signal.aborted) rest();
  }
}

function rest() {
  if (pause !== null) later(again ? 0 : pause);
  [asking, again] = [false, false];
}

function later(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(() => document.hidden || refresh(), milliseconds);
}

/** @returns {Promise<any>} what is answered; null if it is not, and then the page says why */
async function attempt(ask) {
  try {
    const found = (await ask()) ?? true;
    trouble.hidden = true;
    pause = ANYWAY_MS;
    return found;
  } catch (error) {
    if (error.name !== "AbortError") await admit(error);
    return null;
  }
}

async function admit(error) {
  if (!(error instanceof Refused)) throw error;
  fill(trouble, `${sentence(error.message)}.`, main.dataset.shown ? " What is below is from before." : "");
  trouble.hidden = false;
  pause = error.passes ? RETRY_MS : ANYWAY_MS;
  if (!error.unauthorized) return;
  // Without a token nothing is answered, and to ask for it again and again would be rude.
  pause = null;
  signIn(error.message);
}

async function signIn(reason) {
  if (!(await askForToken(reason))) return;
  connect();
  refresh();
}

function connect() {
  line?.stop();
  line = listen({ changed: refresh, link: showLink });
}

function showLink(state, why) {
  const [colour, text] = LINK[state];
  fill(byId("link"), el("span", { class: `lamp ${colour}` }), text);
  byId("link").title = why;
  if (state === "reconnecting") {
    fill(trouble, `Reconnecting: ${why}. What is below is from before.`);
    trouble.hidden = false;
  }
}

function changeToken() {
  const had = token() !== null;
  signIn(
    had ? "Another token takes the place of the one you gave" : "With a token you may decide about actions",
  );
}

countOn();
addEventListener("hashchange", navigate);
byId("token").addEventListener("click", changeToken);
// A page nobody sees gives its place at the server to somebody else.
document.addEventListener("visibilitychange", () => (document.hidden ? line?.stop() : connect()));
navigate();
connect();
