/** The receipt of an action: whether it helped, and by how much. */

import { el } from "./element.js";
import { metric } from "./metrics.js";
import { badge } from "./state.js";
import { amount, number } from "./words.js";

// What is said in the sentence above them, or of interest to machines alone.
const SAID = new Set([
  "verdict",
  "metric",
  "before",
  "after",
  "after_low",
  "after_high",
  "expected",
  "since",
  "until",
]);
const NAMES = {
  events_before: "events before",
  events: "events since",
  e_value: "e-value",
  cost_usd: "cost, USD",
  rollback: "taking it back",
};

/** @param {any} action one with a receipt */
export function receipt(action) {
  const given = action.receipt;
  const rest = Object.entries(given).filter(
    ([name, value]) => !SAID.has(name) && value !== null && value !== "",
  );
  return el(
    "div",
    { class: "receipt" },
    given.verdict ? el("p", {}, badge(given.verdict), change(given)) : null,
    rest.length
      ? el(
          "dl",
          {},
          rest.map(([name, value]) =>
            el("div", {}, el("dt", {}, NAMES[name] ?? name.replaceAll("_", " ")), el("dd", {}, shown(value))),
          ),
        )
      : null,
  );
}

function change({ metric: name, before, after, after_low: low, after_high: high }) {
  if (typeof before !== "number" || typeof after !== "number") return null;
  const { title, unit } = metric(name ?? "");
  // The value of an embedding's receipt is a mean bin, which has no unit.
  const shownIn = unit === "distance" ? "score" : unit;
  const sure =
    typeof low === "number" && typeof high === "number"
      ? ` (95 %: ${amount(low, shownIn)} to ${amount(high, shownIn)})`
      : "";
  return `: ${title} went from ${amount(before, shownIn)} to ${amount(after, shownIn)}${sure}`;
}

function shown(value) {
  if (typeof value === "number") return number(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value;
}
