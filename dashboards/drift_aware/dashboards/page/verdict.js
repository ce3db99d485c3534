/** Whether anything drifts, in three sentences: how things are, what is worst, what is being done. */

import { interest, metric, ofCanary } from "./metrics.js";
import { amount, at, count, lasting, list, place, sentence } from "./words.js";

const SEVERITIES = ["info", "warning", "critical"];
const DOING = {
  tune: "a tuning",
  reindex: "a re-indexing",
  safety: "a stricter guardrail",
};
const TELLING = {
  proposed: "people are about to be told",
  approved: "people are about to be told",
  running: "people are being told",
  succeeded: "people were told",
  failed: "telling people has failed",
};
const STANDS = {
  proposed: "is proposed",
  approved: "begins soon",
  running: "is being carried out",
  unknown: "needs a look: nobody can tell whether a step was done",
  succeeded: "was carried out",
  failed: "has failed",
  verified: "was carried out",
  withheld: "is withheld",
  rejected: "was rejected",
  expired: "has expired",
  rolled_back: "was taken back",
};
const OVER = new Set(["withheld", "rejected", "expired"]);

/**
 * @typedef {Object} Verdict
 * @property {string} state of the whole, as `state.js` knows it
 * @property {string} headline
 * @property {string} worst what drifts most; empty if nothing does
 * @property {string} doing what is being done about it; if nothing drifts, what is watched
 */

/** @param {any} overview what `/live/overview` answers @returns {Verdict} */
export function verdict(overview) {
  const drifting = overview.segments.filter((segment) => segment.state === "drifting");
  if (!drifting.length) return { ...quiet(overview), worst: "", doing: watched(overview) };
  const worst = worstFirst(overview.firing)[0];
  return {
    state: drifting[0].severity ?? "drifting",
    headline: headline(drifting, overview),
    worst: worst ? `${drifting.length > 1 ? "Worst: " : ""}${drift(worst, overview.now)}` : "",
    doing: doing(overview),
  };
}

function headline(drifting, { segments, firing }) {
  if (firing.length && firing.every((alert) => ofCanary(alert.metric))) return "A provider's model has changed.";
  if (drifting.length > 1) return `${drifting.length} of ${count(segments.length, "segment")} drift.`;
  return drifting[0].segment === "all" ? "All traffic drifts." : `${drifting[0].segment} drifts.`;
}

function quiet(overview) {
  const states = new Map();
  for (const { state } of overview.segments) states.set(state, (states.get(state) ?? 0) + 1);
  const all = overview.segments.length;
  if (!all) return { state: "silent", headline: "No data yet." };
  if (states.get("silent") === all) return { state: "silent", headline: "Nothing comes in." };
  if (states.get("warming_up") === all)
    return { state: "warming_up", headline: "Warming up: learning what is usual." };
  const besides = [
    [states.get("warming_up"), "warming up"],
    [states.get("silent"), "silent"],
  ].filter(([many]) => many);
  const rest = list(besides.map(([many, word]) => `${many} ${many === 1 ? "is" : "are"} ${word}`));
  return {
    state: "calm",
    headline: `Nothing drifts${rest ? `; of ${count(all, "segment")}, ${rest}` : ""}.`,
  };
}

function watched({ segments, seen_until: until, now }) {
  if (!segments.length || until === null) return "";
  const watching = count(segments.length, "segment is", "segments are");
  return `${watching} watched; this is how things were at ${at(until, now)} UTC.`;
}

/** @returns {any[]} those that page, the gravest, what one asks about first, the latest: in that order */
export function worstFirst(alerts) {
  const rank = (alert) => [
    alert.paging ? 1 : 0,
    SEVERITIES.indexOf(alert.severity),
    -interest(alert.metric),
    alert.onset,
  ];
  return [...alerts].sort((one, other) => compare(rank(other), rank(one)));
}

function compare(one, other) {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at < 0 ? 0 : one[at] - other[at];
}

/** @returns {string} an alert in a sentence */
export function drift(alert, now) {
  const { title } = metric(alert.metric);
  const since = `since ${at(alert.onset, now)} UTC, for ${lasting(now - alert.onset)}`;
  const where = ofCanary(alert.metric) ? "" : ` in ${place(alert.segment)}`;
  return sentence(`${title}${where} ${moved(alert)}, ${since}.`);
}

/** @returns {string} where the metric of an alert is, and where it was */
export function moved(alert) {
  const { unit } = metric(alert.metric);
  const now = amount(alert.current, unit);
  if (unit === "distance") return `moved away by ${now}`;
  if (alert.baseline_value === null || alert.baseline_value === undefined) return `is at ${now}`;
  return `is at ${now}, against ${amount(alert.baseline_value, unit)}`;
}

function doing(overview) {
  const waiting = new Set(overview.waiting.map((action) => action.id));
  const firing = new Set(overview.firing.map((alert) => alert.id));
  const about = [...overview.waiting, ...overview.latest_actions.filter(({ id }) => !waiting.has(id))];
  const open = about.filter((action) => firing.has(action.alert_id) && !OVER.has(action.status));
  const phrases = new Map();
  for (const action of open) {
    const said = step(action, waiting.has(action.id));
    phrases.set(said, (phrases.get(said) ?? 0) + (action.action === "notify" ? 0 : 1));
  }
  if (!phrases.size) return "Nothing is being done about it so far.";
  const said = [...phrases].map(([phrase, many]) => (many > 1 ? `${phrase} (${many} times)` : phrase));
  return sentence(`${said.slice(0, 4).join("; ")}.`);
}

/**
 * @param {any} action
 * @param {boolean} waits whether it needs a person
 * @returns {string} where an action stands, as in "a tuning waits for approval"
 */
export function step(action, waits) {
  if (action.action === "notify" && !waits) return telling(action);
  const name = DOING[action.action] ?? `“${action.action}”`;
  if (action.status === "proposed") return `${name} ${waits ? "waits for approval" : "is about to begin"}`;
  const helped = action.status === "verified" ? verdictOf(action) : "";
  const dry = action.dry_run && action.status === "succeeded" ? " as a dry run" : "";
  return `${name} ${STANDS[action.status] ?? action.status}${dry}${helped}`;
}

function telling({ status, dry_run: dry }) {
  if (dry && status === "succeeded") return "people would have been told (dry run)";
  return TELLING[status] ?? `telling people ${STANDS[status] ?? status}`;
}

function verdictOf(action) {
  const words = { helped: ": it helped", "no effect": ": it had no effect", harmed: ": it did harm" };
  return words[action.receipt?.verdict] ?? "";
}
