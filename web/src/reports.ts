// What the browser tells of the connections of a call.

import type { Room } from "livekit-client";
import type { Report } from "./connection";

/** One report for each connection that there is. */
export async function reportsOf(room: Room): Promise<Report[]> {
  const { publisher, subscriber } = room.engine.pcManager ?? {};
  const told = await Promise.all([publisher, subscriber].map((transport) => transport?.getStats()?.catch(() => undefined)));
  return told.map((report) => {
    const stats: Report[number][] = [];
    report?.forEach((stat) => stats.push(stat as Report[number]));
    return stats;
  });
}
