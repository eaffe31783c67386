// When to ask again. Everything is spread, because many pages wait for the same moment.

/** A delay around `milliseconds`, by up to a fifth more or less. */
export function around(milliseconds: number): number {
  return milliseconds * (0.8 + Math.random() * 0.4);
}

/** Delays of LiveKit's own attempts to get a broken connection back. After the last we ask the gateway, which knows why. */
const RESUMPTIONS = [0, 300, 700, 1500, 2500];
/** How far the returns are spread of all whose connections broke at one moment, as when a gateway stops. */
export const SPREAD = 1000;

/** Delay before LiveKit's attempt number `attempt` (from 0) to get a broken connection back; `null` to give up. */
export function resumption(attempt: number): number | null {
  const delay = RESUMPTIONS[attempt];
  return delay === undefined ? null : delay + Math.random() * SPREAD;
}

/** Delay before attempt number `attempt` (from 0) after failures: from half a second, doubling, to ten seconds. */
export function backoff(attempt: number, atLeastSeconds = 0): number {
  return Math.max(around(Math.min(10_000, 500 * 2 ** attempt)), atLeastSeconds * 1000 * (1 + Math.random() * 0.2));
}

/** Waits; an abort ends the wait by rejection. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}
