/** The stream of changes. It carries no data: whoever hears of one asks anew, so nothing can be missed. */

import { Refused, request } from "./api.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
// The server says something every 15 s; after two that did not come the line is dead.
const SILENCE_MS = 35_000;

/** @typedef {"connecting"|"live"|"reconnecting"|"refused"} LinkState */

/**
 * Listens until it is stopped; connects again by itself, later and later.
 *
 * @param {Object} tell
 * @param {() => void} tell.changed something has moved, or may have while the line was down
 * @param {(state: LinkState, why: string) => void} tell.link how the line is
 * @returns {{stop: () => void}}
 */
export function listen(tell) {
  const end = new AbortController();
  follow(tell, end.signal);
  return { stop: () => end.abort() };
}

async function follow(tell, end) {
  let pause = FIRST_PAUSE_MS;
  tell.link("connecting", "");
  while (!end.aborted) {
    let why = "the server has ended the connection";
    try {
      await read(
        end,
        () => {
          pause = FIRST_PAUSE_MS;
          tell.link("live", "");
        },
        tell.changed,
      );
    } catch (error) {
      if (end.aborted) return;
      if (error instanceof Refused && [401, 403].includes(error.status)) {
        tell.link("refused", error.message);
        return;
      }
      why = error.message;
    }
    if (end.aborted) return;
    tell.link("reconnecting", why);
    await rest(pause * (0.75 + Math.random() / 2), end);
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  }
}

/** One connection, from its beginning to its end; it begins with being told how things stand. */
async function read(end, opened, changed) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const signal = AbortSignal.any([end, silence.signal]);
    const answer = await request("live/events", { signal, headers: { Accept: "text/event-stream" } });
    opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const messages = (text + value).split(/\r?\n\r?\n/);
      text = messages.pop();
      if (messages.some((message) => /^event: ?changed$/m.test(message))) changed();
    }
  } catch (error) {
    throw silence.signal.aborted ? new Refused(0, "nothing is heard from the server") : error;
  } finally {
    clearTimeout(timer);
  }
}

function rest(milliseconds, end) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    end.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
