/** The first page: whether anything drifts, since when, and what is being done. */

import { actionCards } from "./actions.js";
import { get, part } from "./api.js";
import { el, fill, keep } from "./element.js";
import { beginning } from "./beginning.js";
import { facts } from "./facts.js";
import { metric } from "./metrics.js";
import { segmentList } from "./segments.js";
import { badge, shape } from "./state.js";
import { setClock, since } from "./time.js";
import { moved, step, verdict, worstFirst } from "./verdict.js";
import { place, sentence } from "./words.js";

// More than can be taken in at a glance is folded away.
const FIRST = 5;
const IDLE = new Set(["proposed", "withheld", "expired"]);

/** @param {HTMLElement} main @param {any} tell */
export function overviewPage(main, tell) {
  const parts = build(main);
  return {
    title: "Overview",
    async refresh(signal) {
      const overview = await get("live/overview", signal);
      setClock(overview.now);
      tell.release(overview.release);
      show(parts, overview, tell);
    },
    close: parts.segments.close,
  };
}

function build(main) {
  const parts = {
    verdict: el("section", { class: "verdict", "aria-labelledby": "verdict" }),
    headline: el("h1", { id: "verdict", tabindex: "-1" }),
    worst: el("p", { class: "worst" }),
    doing: el("p", { class: "doing" }),
    facts: el("dl", { class: "facts" }),
    beginning: el("div"),
    drifts: el("ol", { class: "drifts" }),
    rest: el("ol", { class: "drifts" }),
    restCount: el("summary"),
    waiting: el("div", { class: "actions" }),
    latest: el("div", { class: "actions" }),
    segments: segmentList(),
  };
  parts.verdict.append(parts.headline, parts.worst, parts.doing);
  const whole = {
    drifts: section("What drifts", parts.drifts),
    rest: el("details", {}, parts.restCount, parts.rest),
    waiting: section("Waits for a person", parts.waiting),
    segments: section("Segments", parts.segments.element),
    latest: section("Done lately", parts.latest, el("p", {}, el("a", { href: "#/actions" }, "All actions"))),
  };
  whole.segments.className = "later";
  whole.latest.className = "last";
  whole.drifts.append(whole.rest);
  const left = el("div", {}, whole.drifts, whole.segments);
  const right = el("div", {}, whole.waiting, whole.latest);
  fill(main, parts.verdict, parts.facts, parts.beginning, el("div", { class: "columns" }, left, right));
  return { ...parts, whole };
}

function section(title, ...content) {
  return el("section", {}, el("h2", {}, title), ...content);
}

function show(parts, overview, tell) {
  showVerdict(parts, overview);
  facts(parts.facts, overview);
  beginning(parts.beginning, overview);
  const firing = worstFirst(overview.firing);
  const first = firing.filter((alert) => alert.paging).slice(0, FIRST);
  const rest = firing.slice(first.length);
  const quiet = rest.filter((alert) => !alert.paging).length;
  showDrifts(parts.drifts, first, overview);
  showDrifts(parts.rest, rest, overview);
  fill(
    parts.restCount,
    `${rest.length} more${quiet ? ` (second opinions, which wake nobody: ${quiet})` : ""}`,
  );
  parts.whole.drifts.hidden = !overview.firing.length;
  parts.whole.rest.hidden = !rest.length;
  actionCards(parts.waiting, overview.waiting, tell.changed);
  const waiting = new Set(overview.waiting.map((action) => action.id));
  const latest = overview.latest_actions.filter(({ id, status }) => !waiting.has(id) && !IDLE.has(status));
  actionCards(parts.latest, latest.slice(0, FIRST), tell.changed);
  parts.whole.waiting.hidden = !overview.waiting.length;
  parts.whole.latest.hidden = !latest.length;
  parts.segments.show(overview.segments);
  parts.whole.segments.hidden = !overview.segments.length;
}

function showVerdict(parts, overview) {
  const { state, headline, worst, doing } = verdict(overview);
  // Said again by a screen reader only when it has changed.
  if (parts.headline.dataset.said !== state + headline) fill(parts.headline, shape(state), headline);
  parts.headline.dataset.said = state + headline;
  parts.verdict.dataset.state = state;
  parts.worst.textContent = worst;
  parts.doing.textContent = doing;
}

function showDrifts(list, alerts, overview) {
  const waiting = new Set(overview.waiting.map((action) => action.id));
  const known = [...overview.waiting, ...overview.latest_actions.filter(({ id }) => !waiting.has(id))];
  const doing = (alert) => {
    const steps = known.filter((each) => each.alert_id === alert.id && each.action !== "notify");
    return steps.map((action) => step(action, waiting.has(action.id))).join("; ");
  };
  keep(
    list,
    alerts,
    (alert) => [alert.id, `${alert.revision}:${doing(alert)}`],
    (alert) => driftRow(alert, doing(alert)),
  );
}

function driftRow(alert, doing) {
  const { title } = metric(alert.metric);
  return el(
    "li",
    {},
    badge(alert.severity),
    el(
      "div",
      {},
      el("a", { href: `#/alerts/${part(alert.id)}` }, sentence(title), " in ", place(alert.segment)),
      el("p", {}, `${sentence(moved(alert))}, since `, since(alert.onset)),
      doing ? el("p", { class: "doing" }, sentence(`${doing}.`)) : null,
    ),
  );
}
