/** Where questions lie: the clusters of the baseline, how much of the traffic each has, and what is new. */

import { get, part, Refused } from "./api.js";
import { el, fill, keep, svg } from "./element.js";
import { family as familyTitle } from "./metrics.js";
import { ago } from "./time.js";
import { list, percent, sentence } from "./words.js";

const SIDE = 400;
const MARGIN = 46;
// The circle of a cluster with all of the traffic, were there only one.
const WHOLE = 90;
const LABELLED = 8;
// Clusters and projections change slowly, and a thousand points travel with each answer.
const REST_MS = 10_000;

/** @param {HTMLElement} section @param {string} segment @param {any} tell */
export function mapSection(section, segment, tell) {
  const picked = el("div");
  const shown = el("div");
  let family = "";
  let asked = -Infinity;

  async function refresh(signal) {
    if (performance.now() - asked < REST_MS) return;
    asked = performance.now();
    fill(section, el("h2", {}, "Where do questions lie?"), picked, shown);
    const path = `live/map?segment=${part(segment)}${family ? `&family=${part(family)}` : ""}`;
    try {
      const map = await get(path, signal);
      const choices = map.families.length > 1 ? [map] : [];
      keep(
        picked,
        choices,
        ({ families }) => ["choice", families.join() + map.family],
        (one) => choice(one, choose),
      );
      fill(shown, figure(map));
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) throw error;
      fill(shown, el("p", { class: "empty" }, `${sentence(error.message)}.`));
    }
  }

  function choose(event) {
    family = event.target.value;
    asked = -Infinity;
    tell.changed();
  }

  return { refresh };
}

function choice(map, choose) {
  const options = map.families.map((name) =>
    el("option", { value: name, selected: name === map.family }, familyTitle(name)),
  );
  return el(
    "p",
    {},
    el("label", { for: "family" }, "Embeddings "),
    el("select", { id: "family", change: choose }, options),
  );
}

function figure(map) {
  const say = summary(map);
  const drawn = svg(
    "svg",
    { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": say },
    ...shapes(map),
  );
  const key =
    "Circle: share of the baseline. Ring: share now. Dots: recent ones; in colour those unlike the baseline.";
  const shown = `The two axes show ${percent(map.explained)} of the variance.`;
  return el(
    "figure",
    {},
    el(
      "figcaption",
      {},
      el("p", {}, say),
      el(
        "p",
        { class: "hint" },
        `${key} ${shown} The baseline was learned `,
        ago(map.baseline.until),
        " ago.",
      ),
    ),
    drawn,
    table(map),
  );
}

function summary(map) {
  const grown = [...map.clusters].sort((one, other) => other.now - other.share - (one.now - one.share))[0];
  const far = `${percent(map.far)} of the recent ones are farther out than 99 % of the baseline were.`;
  if (!grown || grown.now - grown.share < 0.02) return `${far} Every cluster has about the share it had.`;
  return `${far} Most grown: ${named(grown)}, from ${percent(grown.share)} to ${percent(grown.now)}.`;
}

function named(cluster) {
  return cluster.words.length ? `${cluster.name} (${list(cluster.words.slice(0, 3))})` : cluster.name;
}

function shapes(map) {
  const [x, y] = scales(map);
  const dots = (fresh) =>
    map.points
      .filter((point) => Boolean(point[2]) === fresh)
      .map(([a, b]) => `M${x(a)} ${y(b)}h0`)
      .join("");
  const largest = [...map.clusters]
    .sort((one, other) => other.now + other.share - one.now - one.share)
    .slice(0, LABELLED);
  return [
    svg("path", { class: "dots", d: dots(false) }),
    ...map.clusters.flatMap((cluster) => {
      const middle = { cx: x(cluster.x), cy: y(cluster.y) };
      const ring = (cls, share) =>
        svg("circle", { class: cls, ...middle, r: (WHOLE * Math.sqrt(share)).toFixed(1) });
      return [ring("then", cluster.share), ring("now", cluster.now)];
    }),
    svg("path", { class: "dots new", d: dots(true) }),
    ...largest.map((cluster) =>
      svg("text", { x: x(cluster.x), y: y(cluster.y) }, cluster.words[0] ?? cluster.name),
    ),
  ];
}

/** One scale for both axes, so that distances are what they seem. */
function scales(map) {
  const spots = [...map.clusters.map(({ x, y }) => [x, y]), ...map.points];
  const bounds = [0, 1].map((axis) => {
    const values = spots.map((spot) => spot[axis]);
    return [
      values.reduce((a, b) => Math.min(a, b), Infinity),
      values.reduce((a, b) => Math.max(a, b), -Infinity),
    ];
  });
  const span = Math.max(...bounds.map(([low, high]) => high - low)) || 1;
  return bounds.map(([low, high], axis) => (value) => {
    const place = ((value - (low + high) / 2) / span) * (SIDE - 2 * MARGIN);
    return (SIDE / 2 + (axis ? -place : place)).toFixed(1);
  });
}

function table(map) {
  const row = (cluster) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, cluster.name),
      el("td", {}, percent(cluster.share)),
      el("td", {}, percent(cluster.now)),
      el("td", {}, cluster.words.join(", ")),
    );
  const head = ["cluster", "then", "now", "words"].map((name) => el("th", { scope: "col" }, name));
  const sorted = [...map.clusters].sort(
    (one, other) => Math.abs(other.now - other.share) - Math.abs(one.now - one.share),
  );
  return el(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": "Clusters in numbers" },
    el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, sorted.map(row))),
  );
}
