/** How things are: a shape, a colour and a word for each state, so that no one of them has to be seen. */

import { el, svg } from "./element.js";

const SHAPES = {
  triangle: { d: "M8 1.5 15 14H1z", solid: true },
  diamond: { d: "M8 1 15 8 8 15 1 8z", solid: true },
  disc: { d: "M8 2a6 6 0 1 0 .01 0z", solid: true },
  ring: { d: "M8 2.5a5.5 5.5 0 1 0 .01 0z", solid: false },
  half: { d: "M8 2.5a5.5 5.5 0 1 0 .01 0zM8 2.5v11", solid: false },
  dash: { d: "M2 8h12", solid: false },
  tick: { d: "M2 8.5 6.5 13 14 4", solid: false },
  cross: { d: "M3 3l10 10M13 3 3 13", solid: false },
  hand: { d: "M8 2v8M8 13v1.5", solid: false },
  arrow: { d: "M2 8h10M8 4l4 4-4 4", solid: false },
};

/** State to shape, colour (a class of the stylesheet) and word. */
const STATES = {
  critical: ["triangle", "critical", "critical"],
  warning: ["diamond", "warning", "warning"],
  info: ["disc", "info", "info"],
  drifting: ["diamond", "warning", "drifting"],
  calm: ["ring", "calm", "calm"],
  warming_up: ["half", "quiet", "warming up"],
  silent: ["dash", "quiet", "silent"],
  resolved: ["tick", "calm", "over"],
  retracted: ["cross", "quiet", "taken back"],
  proposed: ["arrow", "quiet", "proposed"],
  waiting: ["hand", "warning", "waits for approval"],
  withheld: ["dash", "quiet", "withheld"],
  approved: ["arrow", "info", "approved, begins soon"],
  rejected: ["cross", "quiet", "rejected"],
  expired: ["dash", "quiet", "expired"],
  started: ["arrow", "info", "begun"],
  done: ["tick", "calm", "done"],
  running: ["arrow", "info", "is being carried out"],
  unknown: ["triangle", "critical", "nobody can tell whether a step was done"],
  succeeded: ["tick", "calm", "carried out"],
  failed: ["cross", "critical", "failed"],
  verified: ["tick", "calm", "verified"],
  rolled_back: ["cross", "quiet", "taken back"],
  helped: ["tick", "calm", "it helped"],
  "no effect": ["dash", "quiet", "it had no effect"],
  harmed: ["triangle", "critical", "it did harm"],
};

/** @returns {string} the word for a state */
export function word(state) {
  return (STATES[state] ?? [0, 0, state])[2];
}

/** @returns {string} the class of its colour */
export function colour(state) {
  return (STATES[state] ?? [0, "quiet"])[1];
}

/** @returns {HTMLElement} shape and word; `says` in place of the word */
export function badge(state, says = word(state)) {
  return el("span", { class: `badge ${colour(state)}` }, shape(state), says);
}

/** @returns {SVGElement} the shape alone; the word has to stand beside it */
export function shape(state) {
  const { d, solid } = SHAPES[(STATES[state] ?? ["dash"])[0]];
  const drawn = svg("path", { d, class: solid ? "solid" : "outline" });
  return svg("svg", { class: `shape ${colour(state)}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, drawn);
}

/** @returns {string} the state of a segment, as badge and shape know it */
export function stateOf(segment) {
  return segment.state === "drifting" ? (segment.severity ?? "drifting") : segment.state;
}
