/** One segment: each metric with what is usual for it, all on the same time. */

import { get, part } from "./api.js";
import { el, fill, keep } from "./element.js";
import { figure } from "./figure.js";
import { mapSection } from "./map.js";
import { byInterest, family, metric } from "./metrics.js";
import { badge } from "./state.js";
import { since } from "./time.js";
import { worstFirst } from "./verdict.js";
import { count, place, sentence } from "./words.js";

const HOURS = new Map([
  [1, "1 hour"],
  [6, "6 hours"],
  [24, "24 hours"],
  [168, "7 days"],
]);
// As many as can be told apart; of the last hour as many as there are panes.
const POINTS = 300;
const MOST_POINTS = 1000;
const HOUR = 1;
const DAY_HOURS = 24;
const HOUR_MS = 3_600_000;

/** @param {HTMLElement} main @param {any} tell @param {string} name @param {URLSearchParams} asked */
export function segmentPage(main, tell, name, asked) {
  const chosen = HOURS.has(Number(asked.get("hours"))) ? Number(asked.get("hours")) : null;
  const parts = build(main, name);
  let hours = chosen ?? DAY_HOURS;
  const map = mapSection(parts.map, name, tell);
  const charts = new Map();
  return {
    title: place(name),
    async refresh(signal) {
      let series = await ask(name, hours, signal);
      if (chosen === null && hours > HOUR && isYoung(series)) {
        hours = HOUR;
        series = await ask(name, hours, signal);
      }
      showSpans(parts.spans, name, hours);
      show(parts, series, charts);
      if (series.metrics.some(({ metric: name }) => name.endsWith("_embedding"))) await map.refresh(signal);
    },
    close() {
      for (const figure of charts.values()) figure.destroy();
    },
  };
}

function ask(name, hours, signal) {
  const points = hours === HOUR ? MOST_POINTS : POINTS;
  return get(`live/series?segment=${part(name)}&hours=${hours}&points=${points}`, signal);
}

/** Whether all of it has come in the last hour: a day would show it as one dot. */
function isYoung({ end, metrics }) {
  return metrics.every(({ times }) => end - times[0] < HOUR * HOUR_MS);
}

function showSpans(list, name, hours) {
  const current = (each) => (each === hours ? "true" : null);
  keep(
    list,
    [...HOURS],
    ([each]) => [String(each), String(current(each))],
    ([each, text]) =>
      el("a", { href: `#/segments/${part(name)}?hours=${each}`, "aria-current": current(each) }, text),
  );
}

function build(main, name) {
  const parts = {
    state: el("p", { class: "state" }),
    firing: el("ul", { class: "firing" }),
    spans: el("nav", { class: "spans", "aria-label": "Time shown" }),
    figures: el("div", { class: "figures" }),
    others: el("div", { class: "figures" }),
    othersCount: el("summary"),
    empty: el("p", { class: "empty", hidden: true }),
    map: el("section", { class: "map" }),
  };
  parts.folded = el("details", {}, parts.othersCount, parts.others);
  const key = el(
    "p",
    { class: "hint" },
    "Solid: now. Dashed: baseline. Grey: what chance alone explains, 99 %. Below, detectors in multiples " +
      "of their threshold: above 1 they fire; the thick one is on the false-alarm budget. " +
      "Triangles: alerts. Squares: actions. Arrow keys move the cursor.",
  );
  fill(
    main,
    el("h1", { tabindex: "-1" }, name === "all" ? "All traffic" : name),
    parts.state,
    parts.firing,
    parts.spans,
    parts.empty,
    parts.figures,
    key,
    parts.folded,
    parts.map,
  );
  return parts;
}

function show(parts, series, charts) {
  const firing = worstFirst(series.alerts.filter((alert) => alert.status === "firing"));
  fill(parts.state, states(series, firing));
  keep(parts.firing, firing, (alert) => [alert.id, JSON.stringify(alert)], alertLine);
  const drifting = new Set(firing.map((alert) => alert.metric));
  const metrics = [...series.metrics].sort(
    (one, other) =>
      Number(drifting.has(other.metric)) - Number(drifting.has(one.metric)) ||
      byInterest(one.metric, other.metric),
  );
  parts.empty.hidden = metrics.length > 0;
  fill(
    parts.empty,
    "No detector has said anything about this segment in this time: it is silent, or warming up.",
  );
  const watched = metrics.filter(({ detectors }) => detectors.some(({ budgeted }) => budgeted));
  const others = metrics.filter((one) => !watched.includes(one));
  figures(parts.figures, watched, series, charts);
  figures(parts.others, others, series, charts);
  fill(parts.othersCount, `${count(others.length, "second opinion")}, on which nothing depends`);
  parts.folded.hidden = !others.length;
}

function figures(place, metrics, series, charts) {
  keep(
    place,
    metrics,
    ({ metric: name }) => [name, ""],
    ({ metric: name }) => figure(name, charts),
  );
  for (const one of metrics) charts.get(one.metric).show(one, series);
}

/** What is to be said beside the alerts that fire: calm, or still learning what is usual. */
function states(series, firing) {
  const judged = series.metrics.some(({ detectors }) => detectors.some(judges));
  const calm = judged && !firing.length ? badge("calm", "nothing drifts here") : null;
  return [
    calm,
    ...series.warming_up.map((one) => badge("warming_up", `${family(one.metric)}: ${one.message}`)),
  ];
}

/** Whether a detector that may raise an alarm has seen enough to say anything. */
function judges(detector) {
  return detector.budgeted && detector.score.some((score) => score !== null);
}

function alertLine(alert) {
  const { title } = metric(alert.metric);
  const link = el("a", { href: `#/alerts/${part(alert.id)}` }, sentence(title));
  const by = alert.paging ? alert.detector : `${alert.detector}, wakes nobody`;
  return el("li", {}, badge(alert.severity), el("span", {}, link, ` (${by}), since `, since(alert.onset)));
}
