/** How much is watched, how far behind, and how often it may be wrong. */

import { el, fill } from "./element.js";
import { count, lasting, number } from "./words.js";

/** @param {HTMLElement} list a `dl` @param {any} overview */
export function facts(list, overview) {
  const rows = [traffic(overview), falseAlarms(overview), hands(overview)].filter(Boolean);
  fill(
    list,
    rows.map(([name, value, more]) =>
      el("div", {}, el("dt", {}, name), el("dd", {}, el("b", {}, value), more ? el("span", {}, more) : null)),
    ),
  );
}

function traffic({ throughput, segments, seen_until: until }) {
  if (until === null) return null;
  const { events_per_second: rate, lag_seconds: lag } = throughput;
  const behind = lag === null ? "" : `${lasting(1000 * lag)} behind`;
  return [
    count(segments.length, "segment"),
    rate === null ? "nothing lately" : `${number(rate)} events/s`,
    behind,
  ];
}

function falseAlarms({ budget }) {
  const days = number(budget.promised_days);
  return ["False alarms", `at most 1 in ${days} days`, budget.text];
}

function hands({ waiting, require_approval: asks, dry_run: dry }) {
  const how = dry
    ? "dry run: actions only say what they would do"
    : asks
      ? "a person approves actions"
      : "actions begin by themselves";
  return ["Waits for a person", waiting.length ? count(waiting.length, "action") : "nothing", how];
}
