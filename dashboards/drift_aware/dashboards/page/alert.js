/** One alert: what moved, since when, who shows it, and what is done about it. */

import { actionCards } from "./actions.js";
import { get, part } from "./api.js";
import { alertMark, chartHost, scoreChart } from "./chart.js";
import { el, fill } from "./element.js";
import { metric } from "./metrics.js";
import { badge } from "./state.js";
import { moment, since, utc } from "./time.js";
import { amount, count, number, place } from "./words.js";

const MINUTE_MS = 60_000;

/** @param {HTMLElement} main @param {any} tell @param {string} id */
export function alertPage(main, tell, id) {
  const parts = build(main);
  let chart = null;
  return {
    title: "Alert",
    async refresh(signal) {
      const found = await get(`live/alerts/${part(id)}`, signal);
      show(parts, found, tell);
      chart?.destroy();
      chart = drawEvidence(parts.evidence, found);
    },
    close: () => chart?.destroy(),
  };
}

function build(main) {
  const parts = {
    state: el("p", { class: "state" }),
    sentence: el("h1", { tabindex: "-1", class: "sentence" }),
    numbers: el("dl", { class: "facts" }),
    contributions: el("section"),
    words: el("section"),
    evidence: el("section"),
    actions: el("section"),
    cards: el("div", { class: "actions" }),
    examples: el("section"),
  };
  const left = el("div", {}, parts.evidence, parts.contributions, parts.words, parts.examples);
  parts.actions.append(el("h2", {}, "What is done about it"), parts.cards);
  const columns = el("div", { class: "columns" }, left, parts.actions);
  fill(main, parts.state, parts.sentence, parts.numbers, columns);
  return parts;
}

function show(parts, found, tell) {
  const { alert } = found;
  const state = alert.status === "firing" ? alert.severity : alert.status;
  fill(parts.state, badge(state), alert.status === "firing" ? " since " : " ", since(alert.onset));
  parts.sentence.textContent = alert.summary;
  fill(parts.numbers, numbers(alert));
  fill(parts.contributions, contributions(alert));
  fill(parts.words, contrast(alert));
  fill(parts.examples, examples(found.examples));
  actionCards(parts.cards, found.actions, tell.changed, alert.id);
  parts.cards.dataset.empty = found.actions.length ? "" : "Nothing was proposed: no rule asks for it.";
}

function numbers(alert) {
  const { unit } = metric(alert.metric);
  const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
  return [
    fact(
      "Now",
      el("b", {}, amount(alert.current, unit)),
      el("span", {}, `over ${count(alert.window.events, "event")}`),
    ),
    alert.baseline_value === null ? null : fact("Baseline", el("b", {}, amount(alert.baseline_value, unit))),
    fact("Segment", el("a", { href: `#/segments/${part(alert.segment)}` }, place(alert.segment))),
    fact("Found by", alert.channel ? `${alert.detector}, ${alert.channel}` : alert.detector),
    alert.paging ? null : fact("Wakes", "nobody: a second opinion"),
  ];
}

/** Bars that add up; the sum is said. */
function contributions(alert) {
  const parts = alert.contributions;
  if (!parts.length) return null;
  const most = Math.max(...parts.map(({ share }) => Math.abs(share))) || 1;
  const sum = parts.reduce((total, { share }) => total + share, 0);
  const row = ({ name, share }) => {
    const bar = el("span", { class: "bar" });
    bar.style.width = `${(100 * Math.abs(share)) / most}%`;
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      el("td", {}, number(share)),
      el("td", { class: "bars" }, bar),
    );
  };
  const total = el(
    "tr",
    { class: "sum" },
    el("th", { scope: "row" }, "sum: the score"),
    el("td", {}, number(sum)),
    el("td"),
  );
  return [
    el("h2", {}, "What moved"),
    el("table", { class: "contributions" }, el("tbody", {}, parts.map(row), total)),
  ];
}

function contrast(alert) {
  if (!alert.words.length) return null;
  const words = alert.words.map((each) => el("li", {}, each));
  return [el("h2", {}, "Words that stand out"), el("ul", { class: "words" }, words)];
}

function examples(some) {
  if (!some.length) return null;
  return [el("h2", {}, "Interactions that show it"), el("ol", { class: "examples" }, some.map(example))];
}

function example(one) {
  const about = [one.model, one.refused ? "refused" : null].filter(Boolean).join(" · ");
  const text = (who, said) => el("p", {}, el("b", {}, who), said === null ? el("i", {}, "not stored") : said);
  const texts = one.withheld
    ? el("p", {}, el("i", {}, "The texts of this one are withheld."))
    : [text("Asked: ", one.prompt), text("Answered: ", one.response)];
  return el(
    "li",
    {},
    el("p", { class: "hint" }, moment(one.ts), about ? ` · ${about}` : "", " · ", el("code", {}, one.id)),
    texts,
  );
}

function drawEvidence(section, { alert, evidence }) {
  fill(section, el("h2", {}, "When did it become sure?"));
  if (!evidence.times.length) {
    section.append(el("p", { class: "empty" }, "The readings around its beginning are no longer stored."));
    return null;
  }
  const highest = Math.max(...evidence.score.map((value) => value ?? 0));
  const limit = evidence.threshold.findLast((value) => value !== null) ?? alert.threshold;
  const host = chartHost(
    `Score of ${alert.detector} over time, at most ${number(highest)}; it fires at ${number(limit)}.`,
  );
  section.append(
    host,
    el(
      "p",
      { class: "hint" },
      `In multiples of the threshold; the drift is thought to have begun at ${utc(alert.onset)}.`,
    ),
  );
  const fired = evidence.times.map((_, index) => evidence.score[index] >= evidence.threshold[index]);
  const detectors = [{ ...evidence, fired, budgeted: true }];
  const frame = {
    start: evidence.times[0],
    end: Math.max(evidence.times.at(-1), evidence.times[0] + MINUTE_MS),
    group: "evidence",
    marks: [alertMark(alert)],
  };
  return scoreChart(host, { times: evidence.times, detectors }, frame);
}
