// What this person's connection is like in the call, to look at and to copy for whoever looks after the calls.

import type { Room } from "livekit-client";
import { type Measured, measure } from "./connection";
import { FactsDialog } from "./factsdialog";
import { percent, t } from "./messages";
import { reportsOf } from "./reports";

/** How often it is measured. */
const EVERY = 2000;

function wayOf({ way }: Measured): string {
  if (!way) return t("connection.unknown");
  return t(way.relay ? "connection.relayed" : "connection.straight", { protocol: way.protocol });
}

/** How sound and pictures go, by the names of the facts. */
export function factsOfWay(measured: Measured): Record<string, string> {
  const { place, roundTrip } = measured;
  const unknown = t("connection.unknown");
  return {
    [t("connection.way")]: wayOf(measured),
    [t("connection.place")]: place ?? unknown,
    [t("connection.roundTrip")]: roundTrip === null ? unknown : t("connection.milliseconds", { number: roundTrip }),
  };
}

/** The same as text, without a word of the invite. */
export function detailsOfWay({ way, place, roundTrip }: Measured, about: string): string {
  const by = way ? `${way.protocol}${way.relay ? " to a relay" : ""}` : "unknown";
  return [new Date().toISOString(), navigator.userAgent, about, `media by ${by}, to ${place ?? "unknown"}`, `round trip ${roundTrip ?? "unknown"} ms`].join("\n");
}

/** Opens the dialog. */
export function showConnection(room: Room): void {
  let open = true;
  const look = async (): Promise<void> => {
    const measured = measure(await reportsOf(room).catch(() => []));
    if (!open) return;
    const { lostHere, lostThere } = measured;
    const shown = (share: number | null) => (share === null ? t("connection.unknown") : percent(share));
    const written = (share: number | null) => (share === null ? "unknown" : `${(share * 100).toFixed(1)} %`);
    const { sid, connectionQuality } = room.localParticipant;
    const about = `session ${room.name}, participant ${sid}, quality ${connectionQuality}`;
    dialog.show(
      { ...factsOfWay(measured), [t("connection.lostHere")]: shown(lostHere), [t("connection.lostThere")]: shown(lostThere) },
      `${detailsOfWay(measured, about)}, lost on the way here ${written(lostHere)}, lost on the way there ${written(lostThere)}`,
    );
  };
  const timer = window.setInterval(() => void look(), EVERY);
  const dialog = new FactsDialog(() => {
    open = false;
    clearInterval(timer);
  });
  void look();
}
