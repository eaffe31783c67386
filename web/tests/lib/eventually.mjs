// Waiting for what happens by itself, and moments as manifests have them.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

/** How long something that happens by itself may take. Generous: it is only used up by failures. */
export const PATIENCE = 60_000;

/** Asks until `check` gives something, and says what it saw last when it never does. */
export async function eventually(what, check, patience = PATIENCE) {
  const until = Date.now() + patience;
  let last;
  for (;;) {
    try {
      const found = await check();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    assert(Date.now() < until, `not within ${patience} ms: ${what}; last seen: ${last?.message ?? last}`);
    await pause(50);
  }
}

/** The moment in so many seconds. */
export const inSeconds = (seconds) => new Date(Math.ceil(Date.now() / 1000) * 1000 + seconds * 1000).toISOString().replace(".000Z", "Z");

/** The year of a 15 January that is to come. */
export const NEXT_YEAR = new Date().getUTCFullYear() + 1;
