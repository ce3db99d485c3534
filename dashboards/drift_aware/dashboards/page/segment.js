/** One segment: each metric with what is usual for it, all on the same time. */

import { get, part } from "./api.js";
import { alertMark, chartHost, scoreChart, thresholds, valueChart } from "./chart.js";
import { el, fill, keep } from "./element.js";
import { mapSection } from "./map.js";
import { byInterest, family, metric } from "./metrics.js";
import { badge } from "./state.js";
import { since } from "./time.js";
import { worstFirst } from "./verdict.js";
import { amount, at, place, sentence } from "./words.js";

const HOURS = new Map([
  [1, "1 hour"],
  [6, "6 hours"],
  [24, "24 hours"],
  [168, "7 days"],
]);
const POINTS = 300;
const MINUTE_MS = 60_000;

/** @param {HTMLElement} main @param {any} tell @param {string} name @param {URLSearchParams} asked */
export function segmentPage(main, tell, name, asked) {
  const hours = HOURS.has(Number(asked.get("hours"))) ? Number(asked.get("hours")) : 24;
  const parts = build(main, name, hours);
  const map = mapSection(parts.map, name, tell);
  const charts = new Map();
  return {
    title: place(name),
    async refresh(signal) {
      const path = `live/series?segment=${part(name)}&hours=${hours}&points=${POINTS}`;
      const series = await get(path, signal);
      show(parts, series, charts);
      if (series.metrics.some(({ metric: name }) => name.endsWith("_embedding"))) await map.refresh(signal);
    },
    close() {
      for (const figure of charts.values()) figure.destroy();
    },
  };
}

function build(main, name, hours) {
  const parts = {
    state: el("p", { class: "state" }),
    firing: el("ul", { class: "firing" }),
    figures: el("div", { class: "figures" }),
    empty: el("p", { class: "empty", hidden: true }),
    map: el("section", { class: "map" }),
  };
  const spans = [...HOURS].map(([each, text]) =>
    el(
      "a",
      { href: `#/segments/${part(name)}?hours=${each}`, "aria-current": each === hours ? "true" : null },
      text,
    ),
  );
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
    el("nav", { class: "spans", "aria-label": "Time shown" }, spans),
    parts.empty,
    parts.figures,
    key,
    parts.map,
  );
  return parts;
}

function show(parts, series, charts) {
  const firing = series.alerts.filter((alert) => alert.status === "firing");
  fill(parts.state, states(series, firing));
  keep(parts.firing, firing, (alert) => [alert.id, JSON.stringify(alert)], alertLine);
  const drifting = new Set(firing.map((alert) => alert.metric));
  const metrics = [...series.metrics].sort(
    (one, other) =>
      drifting.has(other.metric) - drifting.has(one.metric) || byInterest(one.metric, other.metric),
  );
  parts.empty.hidden = metrics.length > 0;
  fill(
    parts.empty,
    "No detector has said anything about this segment in this time: it is silent, or warming up.",
  );
  keep(
    parts.figures,
    metrics,
    (one) => [one.metric, ""],
    (one) => figure(one.metric, charts),
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

/** A figure that is made once, and takes newer and newer data. */
function figure(name, charts) {
  const said = el("p", { class: "reading" });
  const hosts = [chartHost(), chartHost()];
  const heading = el("h2", {}, metric(name).question);
  const shown = el("figure", {}, el("figcaption", {}, heading, said), hosts);
  let [drawn, looking, at, latest] = [[], "", null, null];
  const frame = {
    group: "segment",
    pointed(index) {
      at = index;
      fill(said, reading(latest, at));
    },
  };
  charts.set(name, {
    destroy: () => drawn.forEach((chart) => chart.destroy()),
    show(series, page) {
      latest = series;
      Object.assign(frame, { ...span(page), marks: marks(name, page) });
      hosts[0].setAttribute("aria-label", `${metric(name).question} ${reading(series, null)}`);
      hosts[1].setAttribute("aria-label", detectors(series));
      const now = series.detectors.map(({ detector, channel }) => `${detector} ${channel}`).join();
      if (drawn.length && now === looking) drawn.forEach((chart) => chart.show(series));
      else {
        drawn.forEach((chart) => chart.destroy());
        drawn = draw(hosts, series, frame);
      }
      looking = now;
      frame.pointed(at);
    },
  });
  return shown;
}

function draw([value, scores], series, frame) {
  const unit = unitOf(series);
  const format = (number) => amount(number, unit === "share" ? unit : "");
  return [valueChart(value, series, frame, format), scoreChart(scores, series, frame)];
}

function marks(name, page) {
  const about = (one) => one.metric === name;
  const alerts = page.alerts.filter(about).map(alertMark);
  const actions = page.actions
    .filter(about)
    .map((action) => ({ at: action.ts, state: action.status, kind: "action" }));
  return [...alerts, ...actions];
}

/** From when there is something to see, for all charts alike. */
function span({ start, end, metrics }) {
  const first = Math.min(...metrics.map(({ times }) => times[0]));
  return { start: Math.min(Math.max(start, first), end - MINUTE_MS), end };
}

function unitOf(series) {
  return series.unit || metric(series.metric).unit;
}

/** @returns {string} what the chart shows at a place, or at its end, in words */
function reading(series, pointed) {
  const index = pointed ?? series.current.findLastIndex((value) => value !== null);
  if (index < 0 || series.current[index] === null) return "Nothing was measured.";
  const unit = unitOf(series);
  const [now, base, low, high] = [series.current, series.baseline, series.low, series.high].map(
    (each) => each[index],
  );
  const when = pointed === null ? "Now" : at(series.times[index], series.times.at(-1));
  const was = base === null ? "" : `, against ${amount(base, unit)}`;
  const usual =
    low === null || high === null ? "" : ` (usual: ${amount(low, unit)} to ${amount(high, unit)})`;
  return `${when}: ${amount(now, unit)}${was}${usual}`;
}

function detectors(series) {
  const said = series.detectors.map((detector) => {
    const ratio = thresholds(detector).findLast((value) => value !== null);
    const name = detector.channel ? `${detector.detector}, ${detector.channel}` : detector.detector;
    return `${name}: ${ratio === undefined ? "nothing" : `${amount(ratio)} times its threshold`}`;
  });
  return said.length ? `Detectors. ${said.join("; ")}.` : "No detector looks at this.";
}
