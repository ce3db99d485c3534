/** Actions: what was proposed, who decided, what came of it; and a way to decide. */

import { get, part, post, Refused } from "./api.js";
import { el, fill, keep } from "./element.js";
import { metric } from "./metrics.js";
import { receipt } from "./receipt.js";
import { badge } from "./state.js";
import { askForToken } from "./token.js";
import { moment, now } from "./time.js";
import { amount, at, place } from "./words.js";

const TITLES = {
  tune: "Tune the model",
  reindex: "Re-index",
  safety: "Stricter guardrails",
  notify: "Tell people",
};
const PAGE = 50;

/** The page of all actions. */
export function actionsPage(main, tell) {
  const list = el("div", { class: "actions" });
  const older = el("button", { type: "button", click: showOlder, hidden: true }, "Show older ones");
  const none = el("p", { class: "empty" }, "No action was proposed so far. Alerts that fire lead to them.");
  fill(main, el("h1", { tabindex: "-1" }, "Actions"), el("h2", {}, "Latest first"), none, list, older);
  /** What is shown, by id, latest entry first. */
  let known = new Map();
  let next = null;

  async function refresh(signal) {
    const page = await get(`actions?limit=${PAGE}`, signal);
    if (!known.size) next = page.next;
    known = new Map([...page.items.map((action) => [action.id, action]), ...without(known, page.items)]);
    show();
  }

  async function showOlder() {
    const page = await tell.attempt(() => get(`actions?limit=${PAGE}&cursor=${part(next)}`));
    if (!page) return;
    next = page.next;
    known = new Map([...known, ...page.items.map((action) => [action.id, action])]);
    show();
  }

  function show() {
    none.hidden = known.size > 0;
    older.hidden = next === null;
    actionCards(list, [...known.values()], tell.changed);
  }

  return { title: "Actions", refresh };
}

function without(known, items) {
  const fresh = new Set(items.map((action) => action.id));
  return [...known].filter(([id]) => !fresh.has(id));
}

/** @returns {string} what is done, as a heading has it */
export function actionTitle(action) {
  return TITLES[action.action] ?? action.action;
}

/**
 * Shows actions as cards; one that has not changed stays as it is, with the note somebody is writing.
 *
 * @param {Element} list
 * @param {any[]} actions
 * @param {() => void} changed called when a person has decided
 * @param {string} [here] the alert whose page this is
 */
export function actionCards(list, actions, changed, here) {
  keep(
    list,
    actions,
    (action) => [action.id, String(action.revision)],
    (action) => card(action, changed, here),
  );
}

function card(action, changed, here) {
  return el(
    "article",
    { class: "action", "data-status": action.status },
    el(
      "h3",
      {},
      el("a", { href: `#/actions/${part(action.id)}` }, actionTitle(action)),
      el("span", { class: "where" }, place(action.segment)),
    ),
    el(
      "p",
      { class: "stands" },
      badge(waits(action) ? "waiting" : action.status),
      action.dry_run ? el("span", { class: "dry" }, "dry run") : null,
      moment(action.ts),
      action.alert_id === here ? null : origin(action),
    ),
    el("p", { class: "reason" }, action.reason),
    expected(action),
    action.receipt ? receipt(action) : null,
    decision(action, changed),
  );
}

function origin(action) {
  if (action.alert_id.startsWith("request/")) return "asked for by hand";
  return el("a", { href: `#/alerts/${part(action.alert_id)}` }, "the alert it answers");
}

function expected(action) {
  if (!action.expected || action.receipt?.verdict) return null;
  const { current, target, by, metric: name } = action.expected;
  const { title, unit } = metric(name);
  const goal = `Expected: ${title} goes from ${amount(current, unit)} to ${amount(target, unit)}`;
  return el("p", {}, `${goal} by ${at(by, now())}.`);
}

/** Messages go out by themselves; anything else that is proposed wants somebody to agree, or may have it. */
function waits(action) {
  return action.status === "proposed" && action.action !== "notify";
}

/** The buttons for a person; what they lead to is said beside them. */
function decision(action, changed) {
  if (action.status === "unknown") return settling(action);
  const approve = action.status === "failed" || waits(action);
  const reject = action.status === "approved" || waits(action);
  if (!approve && !reject) return null;
  const said = el("p", { class: "said", role: "status" });
  const note = /** @type {HTMLInputElement} */ (
    el("input", { type: "text", maxlength: 500, "aria-label": "Note", placeholder: "Note (optional)" })
  );
  const decide = (verb) => async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    fill(said, "…");
    fill(said, await answer(action, verb, note.value));
    button.disabled = false;
    changed();
  };
  const about = `${action.action} in ${place(action.segment)}`;
  const button = (verb, text) =>
    el(
      "button",
      { type: "button", class: verb, "aria-label": `${text}: ${about}`, click: decide(verb) },
      text,
    );
  return el(
    "div",
    { class: "decision" },
    action.dry_run
      ? el("p", { class: "hint" }, "A dry run: it says what would be done, and does nothing.")
      : null,
    note,
    approve ? button("approve", action.status === "failed" ? "Approve once more" : "Approve") : null,
    reject ? button("reject", "Reject") : null,
    said,
  );
}

function settling(action) {
  const command = `drift-aware actions show ${action.id}`;
  return el("p", {}, "See whether its last step had its effect, then settle it: ", el("code", {}, command));
}

/** @returns {Promise<string>} what came of it, for the person who decided */
async function answer(action, verb, note) {
  const send = () => post(`actions/${part(action.id)}/${verb}`, note ? { note } : {});
  try {
    await send().catch(async (error) => {
      if (!(error instanceof Refused) || ![401, 403].includes(error.status)) throw error;
      if (!(await askForToken(error.message))) throw error;
      await send();
    });
    return verb === "approve" ? "Approved." : "Rejected.";
  } catch (error) {
    return `Not done: ${error.message}.`;
  }
}
