// What the browser tells of the connections of a call.

import type { Room } from "livekit-client";
import type { Report } from "./connection";

const transports = (room: Room) => [room.engine.pcManager?.publisher, room.engine.pcManager?.subscriber];

/** One report for each connection that there is. */
export async function reportsOf(room: Room): Promise<Report[]> {
  const told = await Promise.all(transports(room).map((transport) => transport?.getStats()?.catch(() => undefined)));
  return told.map((report) => {
    const stats: Report[number][] = [];
    report?.forEach((stat) => stats.push(stat as Report[number]));
    return stats;
  });
}

/** The protocols of the places that the media server has named up to now. */
export function protocolsOffered(room: Room): string[] {
  const lines = transports(room).flatMap((transport) => transport?.getRemoteDescription()?.sdp.split(/\r?\n/) ?? []);
  return lines.flatMap((line) => /^a=candidate:\S+ \d+ (\w+)/.exec(line)?.[1]?.toLowerCase() ?? []);
}
