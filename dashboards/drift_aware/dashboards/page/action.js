/** One action: what it answers, its steps, and who has agreed. */

import { actionCards, actionTitle } from "./actions.js";
import { get, part } from "./api.js";
import { el, fill } from "./element.js";
import { badge } from "./state.js";
import { moment } from "./time.js";
import { amount, place } from "./words.js";

/** @param {HTMLElement} main @param {any} tell @param {string} id */
export function actionPage(main, tell, id) {
  const heading = el("h1", { tabindex: "-1" });
  const about = el("p", { class: "sentence" });
  const card = el("div", { class: "actions" });
  const steps = el("section");
  fill(main, heading, about, el("h2", {}, "Where it stands"), card, steps);
  return {
    title: "Action",
    async refresh(signal) {
      const entry = await get(`actions/${part(id)}`, signal);
      const { action, alert } = entry;
      heading.textContent = `${actionTitle(action)}: ${place(action.segment)}`;
      about.textContent = alert?.summary ?? "";
      actionCards(card, [action], tell.changed);
      fill(steps, agreed(entry), table(entry.steps));
    },
  };
}

function agreed({ approved_by: who, approved_at: when }) {
  return who ? el("p", {}, `Approved by ${who}, `, moment(Date.parse(when)), ".") : null;
}

function table(steps) {
  if (!steps.length) return el("p", { class: "empty" }, "No step of it has begun.");
  const row = ({ step, status, cost_usd: cost, started_at: begun, ended_at: ended }) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, step),
      el("td", {}, badge(status)),
      el("td", {}, moment(Date.parse(begun))),
      el("td", {}, ended ? moment(Date.parse(ended)) : ""),
      el("td", {}, cost ? amount(cost, "usd") : ""),
    );
  const head = ["step", "state", "begun", "over", "cost"].map((name) => el("th", { scope: "col" }, name));
  return [
    el("h2", {}, "Its steps"),
    el(
      "div",
      { class: "wide", tabindex: "0", role: "region", "aria-label": "Steps" },
      el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, steps.map(row))),
    ),
  ];
}
