/** A metric over time: its question, what it is now in words, its value, and what detectors make of it. */

import { alertMark, chartHost, scoreChart, thresholds, valueChart } from "./chart.js";
import { el, fill } from "./element.js";
import { metric } from "./metrics.js";
import { amount, at } from "./words.js";

const MINUTE_MS = 60_000;

/**
 * A figure that is made once, and takes newer and newer data.
 *
 * @param {string} name of the metric
 * @param {Map<string, {show: (series: any, page: any) => void, destroy: () => void}>} charts gains it
 * @returns {HTMLElement}
 */
export function figure(name, charts) {
  const said = el("p", { class: "reading" });
  const hosts = [chartHost(), chartHost()];
  const heading = el("h2", {}, metric(name).question);
  const shown = el("figure", {}, el("figcaption", {}, heading, said), hosts);
  let [drawn, looking, spot, latest] = [[], "", null, null];
  const frame = {
    group: "segment",
    pointed(index) {
      spot = index;
      fill(said, reading(latest, spot));
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
      frame.pointed(spot);
    },
  });
  return shown;
}

/** @param {HTMLElement[]} hosts */
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
