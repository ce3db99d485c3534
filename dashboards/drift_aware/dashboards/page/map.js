/** Where questions lie: the clusters of the baseline, how much of the traffic each has, and what is new. */

import { get, part, Refused } from "./api.js";
import { el, fill, keep } from "./element.js";
import { family as familyTitle } from "./metrics.js";
import { plane } from "./plane.js";
import { ago } from "./time.js";
import { count, percent, sentence } from "./words.js";

// Clusters and projections change slowly, and a thousand points travel with each answer.
const REST_MS = 10_000;
// A change of a share by less is not worth a sentence.
const LITTLE = 0.02;

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
  const parts = groups(map.clusters);
  const say = summary(map, parts);
  const key =
    "Disc: share of the baseline. Ring: share now. Dots: recent ones; in colour those unlike the baseline. " +
    `The two axes show ${percent(map.explained)} of the variance. The baseline was learned `;
  const caption = [el("p", {}, say), el("p", { class: "hint" }, key, ago(map.baseline.until), " ago.")];
  return el("figure", {}, el("figcaption", {}, caption), plane(map, parts, say), table(parts));
}

/** @typedef {{name: string, label: string, x: number, y: number, share: number, now: number}} Group */

/** @returns {Group[]} those that have changed most come first */
function groups(clusters) {
  const found = new Map();
  for (const cluster of clusters) {
    const known = found.get(cluster.group) ?? [];
    found.set(cluster.group, [...known, cluster]);
  }
  return [...found.values()].map(grouped).sort((one, other) => change(other) - change(one));
}

function grouped(clusters) {
  const total = (value) => clusters.reduce((sum, cluster) => sum + value(cluster), 0);
  const weight = (cluster) => cluster.share + cluster.now;
  const middle = (axis) => total((each) => weight(each) * each[axis]) / (total(weight) || 1);
  const [{ name, words }] = clusters;
  const others = clusters.length > 1 ? ` and ${count(clusters.length - 1, "other")} near it` : "";
  return {
    name: words.length ? words.join(", ") : `${name}${others}`,
    label: words.slice(0, 2).join(" "),
    x: middle("x"),
    y: middle("y"),
    share: total((each) => each.share),
    now: total((each) => each.now),
  };
}

function change({ share, now }) {
  return Math.abs(now - share);
}

function summary(map, parts) {
  const far = `${percent(map.far)} of the recent ones are farther out than 99 % of the baseline were.`;
  const grown = [...parts].sort((one, other) => other.now - other.share - (one.now - one.share))[0];
  if (!grown || grown.now - grown.share < LITTLE) return `${far} Every topic has about the share it had.`;
  return `${far} Most grown: ${grown.name}, from ${percent(grown.share)} to ${percent(grown.now)}.`;
}

function table(parts) {
  const cell = (share) => el("td", {}, percent(share));
  const rows = parts.map(({ name, share, now }) =>
    el("tr", {}, el("th", { scope: "row" }, name), cell(share), cell(now)),
  );
  const head = ["near which words", "then", "now"].map((name) => el("th", { scope: "col" }, name));
  return el(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": "Topics in numbers" },
    el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)),
  );
}
