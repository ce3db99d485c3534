/** Charts over time: a value beside what is usual, and what detectors make of it. */

import { el } from "./element.js";
import { colour } from "./state.js";

/** A script of its own, since it is not published as a small module. */
const uPlot = /** @type {any} */ (globalThis).uPlot;

const VALUE_PIXELS = 150;
const SCORE_PIXELS = 84;
// Scores are shown in thresholds, on a scale of tens; what is less is nothing, what is more is plenty.
const LEAST = 0.01;
const MOST = 100;
const DAY_SECONDS = 86_400;
const AXIS_FONT = "12px system-ui, sans-serif";

/**
 * @typedef {{at: number, until?: number|null, state: string, kind: "alert"|"action", shaded?: boolean}} Mark
 * @typedef {Object} Frame what a chart shares with others; may change before it is shown newer data
 * @property {number} start milliseconds, as `end`
 * @property {number} end
 * @property {string} group charts of one group share their cursor
 * @property {Mark[]} marks
 * @property {(index: number|null) => void} [pointed] told where the cursor is
 * @typedef {{show: (series: any) => void, destroy: () => void}} Chart
 */

/**
 * A value, its baseline, and the band of what chance alone explains.
 *
 * @param {HTMLElement} host
 * @param {any} series of `/live/series`
 * @param {Frame} frame
 * @param {(value: number) => string} format of the axis
 * @returns {Chart}
 */
export function valueChart(host, series, frame, format) {
  const data = ({ times, low, high, baseline, current }) => [seconds(times), low, high, baseline, current];
  const line = (name, width, dash) => ({ stroke: () => ink(name), width, dash, points: lonely(name) });
  return plot(host, VALUE_PIXELS, frame, series, data, {
    series: [
      {},
      line("--transparent", 0),
      line("--transparent", 0),
      line("--muted", 1.5, [6, 4]),
      line("--ink", 2),
    ],
    bands: [{ series: [2, 1], fill: () => ink("--band") }],
    scales: { y: { range: (_, low, high) => roomy(low, high, series.unit === "share") } },
    axes: [{}, { values: (_, splits) => splits.map((value) => format(value)) }],
  });
}

/**
 * What each detector says, in thresholds: it fires where it is above one.
 *
 * @param {HTMLElement} host
 * @param {any} series of `/live/series`
 * @param {Frame} frame
 * @returns {Chart}
 */
export function scoreChart(host, series, frame) {
  const strokes = series.detectors.map((detector) => ({
    stroke: () => ink(detector.budgeted ? "--ink" : "--muted"),
    width: detector.budgeted ? 2 : 1,
    points: lonely(detector.budgeted ? "--ink" : "--muted"),
  }));
  const alarm = {
    paths: () => null,
    points: { show: true, size: 6, stroke: () => ink("--critical"), fill: () => ink("--critical") },
  };
  return plot(host, SCORE_PIXELS, frame, series, scores, {
    series: [
      {},
      { stroke: () => ink("--critical"), width: 1, dash: [3, 3], points: { show: false } },
      ...strokes,
      alarm,
    ],
    scales: {
      y: { distr: 3, range: (_, low, high) => [LEAST, 10 ** Math.max(1, Math.ceil(Math.log10(high || 1)))] },
    },
    axes: [
      {},
      {
        splits: powers,
        filter: (_, splits) => splits,
        values: (_, splits) => splits.map((value) => (value === 1 || value === LEAST ? `${value}×` : "")),
      },
    ],
  });
}

/** The rows of the chart: times, the threshold, each detector, and where one fires. */
function scores({ times, detectors }) {
  const ratios = detectors.map(thresholds);
  const fired = times.map((_, index) => {
    const alarms = detectors.flatMap((each, place) => (each.fired[index] ? [ratios[place][index]] : []));
    return alarms.length ? Math.max(...alarms) : null;
  });
  return [seconds(times), times.map(() => 1), ...ratios, fired];
}

function powers(_chart, _axis, low, high) {
  const first = Math.round(Math.log10(low));
  const last = Math.round(Math.log10(high));
  return Array.from({ length: last - first + 1 }, (_, index) =>
    Number((10 ** (first + index)).toPrecision(1)),
  );
}

/** @returns {(number|null)[]} a detector's scores, in thresholds */
export function thresholds({ score, threshold }) {
  return score.map((value, index) => {
    const limit = threshold[index];
    return value === null || !limit ? null : Math.min(MOST, Math.max(LEAST, value / limit));
  });
}

function roomy(low, high, share) {
  if (low === null || high === null || low === undefined) return [0, 1];
  const space = (high - low || Math.abs(high) || 1) * 0.1;
  const bottom = low >= 0 ? Math.max(0, low - space) : low - space;
  return [share || bottom < space ? Math.min(0, low) : bottom, high + space];
}

function plot(host, height, frame, series, data, options) {
  const axis = {
    stroke: () => ink("--muted"),
    grid: { stroke: () => ink("--line"), width: 1 },
    ticks: { show: false },
    font: AXIS_FONT,
  };
  const chart = new uPlot(
    {
      width: Math.max(200, host.clientWidth),
      height,
      legend: { show: false },
      padding: [12, 8, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(1000 * at), "Etc/UTC"),
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key: frame.group } },
      series: options.series,
      bands: options.bands,
      scales: { x: { time: true, range: () => [frame.start / 1000, frame.end / 1000] }, ...options.scales },
      axes: [
        { ...axis, values: clocks, size: 28, space: 70 },
        { ...axis, size: 62, ...options.axes[1] },
      ],
      hooks: {
        draw: [(chart) => drawMarks(chart, frame.marks)],
        setCursor: [(chart) => frame.pointed?.(chart.cursor.idx ?? null)],
      },
    },
    data(series),
    host,
  );
  return { ...alive(chart, host, height), show: (fresh) => chart.setData(data(fresh)) };
}

/** Keeps a chart as wide as its place and in the colours of the day; arrows move its cursor. */
function alive(chart, host, height) {
  const resized = new ResizeObserver(() => {
    if (host.clientWidth && host.clientWidth !== chart.width)
      chart.setSize({ width: host.clientWidth, height });
  });
  resized.observe(host);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => chart.redraw();
  scheme.addEventListener("change", redraw);
  host.addEventListener("keydown", (event) => step(chart, event));
  return {
    destroy() {
      resized.disconnect();
      scheme.removeEventListener("change", redraw);
      chart.destroy();
    },
  };
}

function step(chart, event) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const times = chart.data[0];
  if (!by || !times.length) return;
  event.preventDefault();
  const from = chart.cursor.idx ?? (by > 0 ? -1 : times.length);
  const index = Math.min(times.length - 1, Math.max(0, from + by));
  chart.setCursor({ left: chart.valToPos(times[index], "x"), top: 1 }, true, true);
}

function drawMarks(chart, marks) {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  ctx.save();
  for (const mark of marks) {
    const left = Math.max(bbox.left, chart.valToPos(mark.at / 1000, "x", true));
    if (left > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = ink(`--${colour(mark.state)}`);
    if (mark.shaded) {
      const over = mark.until ? chart.valToPos(mark.until / 1000, "x", true) : Infinity;
      const right = Math.min(bbox.left + bbox.width, over);
      ctx.globalAlpha = 0.1;
      ctx.fillRect(left, bbox.top, Math.max(0, right - left), bbox.height);
      ctx.globalAlpha = 1;
    }
    ctx.lineWidth = ratio;
    ctx.setLineDash(mark.kind === "alert" ? [] : [2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
    drawHead(ctx, left, bbox.top, 5 * ratio, mark.kind);
  }
  ctx.restore();
}

/** A triangle for the onset of an alert, a square for an action. */
function drawHead(ctx, x, y, size, kind) {
  ctx.beginPath();
  if (kind === "alert") {
    ctx.moveTo(x - size, y - size);
    ctx.lineTo(x + size, y - size);
    ctx.lineTo(x, y + size / 2);
  } else {
    ctx.rect(x - size * 0.7, y - size, size * 1.4, size * 1.4);
  }
  ctx.fill();
}

function clocks(_, splits) {
  const step = splits.length > 1 ? splits[1] - splits[0] : DAY_SECONDS;
  return splits.map((at) => {
    const text = new Date(1000 * at).toISOString();
    if (step < 60) return text.slice(11, 19);
    return at % DAY_SECONDS ? text.slice(11, 16) : text.slice(5, 10);
  });
}

/** Points of a value that stands alone; a line through it would not be seen. */
function lonely(name) {
  return {
    show: (chart) => chart.data[0].length < 3,
    size: 4,
    stroke: () => ink(name),
    fill: () => ink(name),
  };
}

function seconds(times) {
  return times.map((at) => at / 1000);
}

function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** @returns {Mark} where an alert stands; one that wakes nobody is a line, not a stretch */
export function alertMark(alert) {
  const until = alert.status === "firing" ? null : (alert.until ?? alert.ts);
  return { at: alert.onset, until, state: alert.severity, kind: "alert", shaded: alert.paging };
}

/** The place of a chart; its label says in a sentence what is drawn there. */
export function chartHost(label = "") {
  return el("div", { class: "chart", tabindex: "0", role: "img", "aria-label": label });
}
