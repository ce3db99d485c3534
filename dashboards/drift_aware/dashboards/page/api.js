/** Requests to the server this page came from. */

import { token } from "./token.js";

const PATIENCE_MS = 20_000;

/** What the server did not do, in the words it gave for it. */
export class Refused extends Error {
  /**
   * @param {number} status 0 if the server was not reached
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }

  /** Whether the same may be answered soon. */
  get passes() {
    return this.status === 0 || this.status >= 500;
  }

  /** Whether another token may help. */
  get unauthorized() {
    return this.status === 401;
  }
}

/** @returns {Promise<any>} what `GET` answers */
export async function get(path, signal) {
  const answer = await request(path, { signal: patient(signal) });
  return read(answer);
}

/** @returns {Promise<any>} what `POST` answers */
export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return read(
    await request(path, { method: "POST", headers, body: JSON.stringify(body), signal: patient() }),
  );
}

/**
 * An answer that is good, whatever is in it.
 *
 * @throws {Refused}
 * @returns {Promise<Response>}
 */
export async function request(path, options = {}) {
  const shown = token();
  const headers = { ...options.headers, ...(shown ? { Authorization: `Bearer ${shown}` } : {}) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    throw lost(error);
  }
  if (answer.ok) return answer;
  throw new Refused(answer.status, await detail(answer));
}

async function read(answer) {
  try {
    return await answer.json();
  } catch (error) {
    throw lost(error);
  }
}

function lost(error) {
  if (error.name === "AbortError") return error;
  if (error.name === "TimeoutError") return new Refused(0, "the server takes too long to answer");
  return new Refused(0, "the server does not answer");
}

function patient(signal) {
  const limit = AbortSignal.timeout(PATIENCE_MS);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

async function detail(answer) {
  try {
    return (await answer.json()).detail;
  } catch {
    return `the server answers with status ${answer.status}`;
  }
}

/** @param {string} name any text @returns {string} as a part of an address */
export function part(name) {
  return encodeURIComponent(name);
}
