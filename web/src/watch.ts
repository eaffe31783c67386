// Keeps an eye on the Room from before the door: asks, tells, and asks again.

import { Problem, type Gateway, type RoomView } from "./api";
import { around, backoff, pause } from "./pace";

/** How often to look while somebody waits. */
const WAITING = 10_000;
/** How often to look during a call: its end may have been moved. */
export const CALLING = 60_000;
/** How far the look at the opening is spread. */
const SPREAD = 500;

export interface Watcher {
  seen(view: RoomView): void;
  failed(problem: Problem): void;
}

/** Asks until `signal` is aborted; `failed` with a problem that does not pass is the last thing it does. */
export async function watchRoom(gateway: Gateway, watcher: Watcher, signal: AbortSignal, every = WAITING): Promise<void> {
  let failures = 0;
  try {
    for (;;) {
      let delay: number;
      try {
        const view = await gateway.room();
        signal.throwIfAborted();
        failures = 0;
        delay = around(every);
        if (view.state === "early") {
          const opens = Date.parse(view.validFrom) - gateway.now();
          delay = Math.min(delay, Math.max(opens, 200) + Math.random() * SPREAD);
        }
        watcher.seen(view);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Problem)) throw error;
        watcher.failed(error);
        if (!error.passes) return;
        delay = backoff(failures, error.retryAfter);
        failures += 1;
      }
      await pause(delay, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
