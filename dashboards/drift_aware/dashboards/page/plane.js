/** Clusters and points of a map, drawn to one scale. */

import { svg } from "./element.js";

const SIDE = 400;
const MARGIN = 30;
// More names lie over one another.
const LABELLED = 5;

/**
 * @param {any} map what `/live/map` answers
 * @param {{label: string, x: number, y: number}[]} labels what is worth a name most comes first
 * @param {string} says what is to be seen, in words
 * @returns {SVGElement}
 */
export function plane(map, labels, says) {
  const { x, y, length } = scale(map);
  const circle = (cluster, kind, radius) =>
    svg("circle", { class: kind, cx: x(cluster.x), cy: y(cluster.y), r: length(radius) });
  const dots = (fresh) =>
    map.points
      .filter((point) => Boolean(point[2]) === fresh)
      .map(([across, up]) => `M${x(across)} ${y(up)}h0`)
      .join("");
  const shapes = [
    svg("path", { class: "dots", d: dots(false) }),
    ...map.clusters.map((cluster) => circle(cluster, "then", cluster.radius)),
    ...map.clusters.map((cluster) => circle(cluster, "now", radiusNow(cluster, map.clusters))),
    svg("path", { class: "dots new", d: dots(true) }),
    ...labels.slice(0, LABELLED).map((label) => svg("text", { x: x(label.x), y: y(label.y) }, label.label)),
  ];
  return svg("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": says }, shapes);
}

/** Areas are as shares are, then and now alike. */
function radiusNow({ now }, clusters) {
  const known = clusters.find(({ share }) => share > 0);
  return known ? known.radius * Math.sqrt(now / known.share) : 0;
}

/** One scale for both axes, so that distances are what they seem. */
function scale(map) {
  const spots = [...map.clusters.map(({ x, y }) => [x, y]), ...map.points];
  const [across, up] = [0, 1].map((axis) => spots.map((spot) => spot[axis])).map(reach);
  const span = Math.max(across.high - across.low, up.high - up.low) || 1;
  const pixels = (value) => (value / span) * (SIDE - 2 * MARGIN);
  return {
    x: (value) => (SIDE / 2 + pixels(value - (across.low + across.high) / 2)).toFixed(1),
    y: (value) => (SIDE / 2 - pixels(value - (up.low + up.high) / 2)).toFixed(1),
    length: (value) => pixels(value).toFixed(1),
  };
}

function reach(values) {
  return values.reduce(
    ({ low, high }, value) => ({ low: Math.min(low, value), high: Math.max(high, value) }),
    { low: Infinity, high: -Infinity },
  );
}
