/** The list of segments: of a thousand only those that can be seen are in the page. */

import { part } from "./api.js";
import { el, fill, keep } from "./element.js";
import { badge, stateOf, word } from "./state.js";
import { now } from "./time.js";
import { at, count, number, place } from "./words.js";

const ROW_PIXELS = 44;
// Rows beyond either edge, so that the next one to be focused is there.
const BESIDE = 6;

/** @returns {{element: HTMLElement, show: (segments: any[]) => void, close: () => void}} */
export function segmentList() {
  let all = [];
  let found = [];
  const filter = /** @type {HTMLInputElement} */ (
    el("input", {
      type: "search",
      id: "filter",
      placeholder: "app=shop",
      autocomplete: "off",
      spellcheck: "false",
      input: select,
    })
  );
  const many = el("p", { class: "many", role: "status" });
  const rows = el("ul", { class: "rows" });
  const view = el("div", { class: "segments", scroll: draw }, rows);
  const element = el(
    "div",
    {},
    el("label", { for: "filter" }, "Filter by name or state"),
    filter,
    many,
    view,
  );
  const resized = new ResizeObserver(draw);
  resized.observe(view);

  function select() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = all.filter((segment) => matches(segment, words));
    fill(many, words.length ? `${number(found.length)} of ${count(all.length, "segment")}` : "");
    rows.style.height = `${found.length * ROW_PIXELS}px`;
    draw();
  }

  function draw() {
    const first = Math.max(0, Math.floor(view.scrollTop / ROW_PIXELS) - BESIDE);
    const last = Math.ceil((view.scrollTop + view.clientHeight) / ROW_PIXELS) + BESIDE;
    const seen = found.slice(first, last).map((segment, index) => ({ segment, index: first + index }));
    const version = ({ segment, index }) => `${index} of ${found.length} ${JSON.stringify(segment)}`;
    keep(
      rows,
      seen,
      (one) => [one.segment.segment, version(one)],
      (one) => row(one, found.length),
    );
  }

  return {
    element,
    show(segments) {
      all = segments;
      select();
    },
    close: () => resized.disconnect(),
  };
}

function matches(segment, words) {
  const text =
    `${segment.segment} ${word(stateOf(segment))} ${segment.state.replace("_", " ")}`.toLowerCase();
  return words.every((each) => text.includes(each));
}

function row({ segment, index }, size) {
  const shown = el(
    "li",
    { "aria-setsize": size, "aria-posinset": index + 1 },
    badge(stateOf(segment), said(segment)),
    el("a", { href: `#/segments/${part(segment.segment)}` }, place(segment.segment)),
    el("span", { class: "events" }, events(segment)),
  );
  shown.style.top = `${index * ROW_PIXELS}px`;
  return shown;
}

function said(segment) {
  if (segment.state === "warming_up") return segment.message ?? word("warming_up");
  return word(stateOf(segment));
}

function events(segment) {
  const until = segment.until ? ` until ${at(segment.until, now())}` : "";
  return `${count(segment.events, "event")}${until}`;
}
