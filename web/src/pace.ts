// When to ask again. Everything is spread, because many pages wait for the same moment.

/** A delay around `milliseconds`, by up to a fifth more or less. */
export function around(milliseconds: number): number {
  return milliseconds * (0.8 + Math.random() * 0.4);
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
