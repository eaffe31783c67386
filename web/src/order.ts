// In which order people are shown, page by page.

/** What counts of somebody. */
export interface Seen {
  readonly identity: string;
  readonly isLocal: boolean;
  readonly hasCamera: boolean;
  readonly hasMicrophone: boolean;
  /** When they spoke last, in milliseconds; 0 for never. */
  readonly spoke: number;
}

/**
 * The order of now, from the one before. On the first page, of `size`, are those who spoke last, then those with a camera, then those with a
 * microphone; who is there stays in their place as long as they are among them, so that pictures do not jump.
 */
export function arrange(before: readonly string[], people: readonly Seen[], size: number): string[] {
  const arrival = new Map(before.map((identity, position) => [identity, position]));
  const place = ({ identity }: Seen) => arrival.get(identity) ?? before.length;
  const standing = [...people].sort((a, b) => place(a) - place(b));
  const deserve = new Set([...standing].sort((a, b) => weight(b) - weight(a)).slice(0, size).map(({ identity }) => identity));
  const first = standing.filter((_, position) => position < size).map(({ identity }) => (deserve.has(identity) ? identity : null));
  const placed = new Set(first);
  const others = standing.map(({ identity }) => identity).filter((identity) => !placed.has(identity));
  const coming = others.filter((identity) => deserve.has(identity));
  return [...first.map((identity) => identity ?? coming.shift()).filter((identity) => identity !== undefined), ...others.filter((identity) => !deserve.has(identity))];
}

/** Oneself is always on the first page. */
function weight({ isLocal, hasCamera, hasMicrophone, spoke }: Seen): number {
  return (isLocal ? 1e15 : 0) + spoke * 4 + (hasCamera ? 2 : 0) + (hasMicrophone ? 1 : 0);
}

/** How many tiles of at least this size, in pixels, an area holds; within limits, whatever its size. */
export function capacity(width: number, height: number, narrowest: number, form: number, gap: number): number {
  const columns = Math.floor((width + gap) / (narrowest + gap));
  const rows = Math.floor((height + gap) / (narrowest / form + gap));
  return Math.min(MOST, Math.max(LEAST, columns * rows));
}

const LEAST = 4;
const MOST = 24;
