/** Numbers, times and states in words. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const INTEGER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const CLOCK = { hour: "2-digit", minute: "2-digit", timeZone: "UTC", hourCycle: "h23" };
const TIME = new Intl.DateTimeFormat("en", /** @type {any} */ (CLOCK));
const DATE = new Intl.DateTimeFormat(
  "en",
  /** @type {any} */ ({ day: "numeric", month: "short", timeZone: "UTC" }),
);

/** @returns {string} a value in the unit of its metric */
export function amount(value, unit = "") {
  if (value === null || value === undefined) return "unknown";
  if (unit === "share") return percent(value);
  if (unit === "usd" || unit === "USD") return `$${number(value)}`;
  const word = { distance: "", count: "", score: "", seconds: "s" }[unit] ?? unit;
  return word ? `${number(value)} ${word}` : number(value);
}

/** @returns {string} as in 12.3 % */
export function percent(share) {
  const hundred = 100 * share;
  return `${Math.abs(hundred) >= 99.95 ? INTEGER.format(hundred) : hundred.toFixed(1)} %`;
}

/** @returns {string} with three digits that count */
export function number(value) {
  return Math.abs(value) >= 1000 ? INTEGER.format(value) : SHORT.format(value);
}

/** @returns {string} as in "1 segment", "2 segments" */
export function count(many, noun, nouns = `${noun}s`) {
  return `${INTEGER.format(many)} ${many === 1 ? noun : nouns}`;
}

/** @returns {string} the clock, with the day if it is not today's */
export function at(ms, now) {
  const clock = TIME.format(ms);
  return DATE.format(ms) === DATE.format(now) && now - ms < DAY ? clock : `${DATE.format(ms)}, ${clock}`;
}

/** @returns {string} how long, in its largest unit */
export function lasting(ms) {
  if (ms < 2 * MINUTE) return `${Math.max(0, Math.round(ms / SECOND))} s`;
  if (ms < 2 * HOUR) return `${Math.round(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.round(ms / HOUR)} h`;
  return `${Math.round(ms / DAY)} days`;
}

/** @returns {string} a segment as a sentence has it */
export function place(segment) {
  return segment === "all" ? "all traffic" : segment;
}

/** @returns {string} with a capital letter */
export function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

/** @returns {string} as in "a, b and c" */
export function list(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
