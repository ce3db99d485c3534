/** What to do on an installation that has seen nothing yet. */

import { el, fill } from "./element.js";

const EXAMPLE = `from drift_aware.producers import Publisher

publisher = Publisher("localhost:9092", app="shop", model="gpt-4o")
publisher.interaction(user_query=question, model_response=reply)`;

/** Shows it while there is nothing else to show. */
export function beginning(place, overview) {
  const empty = overview.seen_until === null && !overview.segments.length;
  if (!empty) fill(place);
  else if (!place.childElementCount) fill(place, steps());
}

function steps() {
  const command = (text) => el("code", {}, text);
  return el(
    "section",
    { class: "beginning" },
    el("h2", {}, "How to begin"),
    el(
      "ol",
      {},
      el("li", {}, "Publish from your application:", el("pre", { tabindex: "0" }, EXAMPLE)),
      el(
        "li",
        {},
        "Count and compare: ",
        command("drift-aware worker"),
        " and ",
        command("drift-aware baseline watch"),
      ),
      el("li", {}, "Write it to this database: ", command("drift-aware persist")),
    ),
    el(
      "p",
      {},
      "No application at hand? ",
      command("drift-aware simulate"),
      " is one. This page fills by itself.",
    ),
  );
}
