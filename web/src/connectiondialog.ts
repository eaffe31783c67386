// What this person's connection is like, to look at and to copy for whoever looks after the calls.

import type { Room } from "livekit-client";
import { type Measured, type Report, measure } from "./connection";
import { openDialog } from "./dialog";
import { el, newId, setText } from "./dom";
import { percent, t } from "./messages";

/** How often it is measured. */
const EVERY = 2000;

/** What the connections of a call say of themselves. */
async function reports(room: Room): Promise<Report[]> {
  const { publisher, subscriber } = room.engine.pcManager ?? {};
  const asked = [publisher, subscriber].map((transport) => transport?.getStats()?.catch(() => undefined));
  const told = await Promise.all(asked);
  return told.map((report) => {
    const stats: Report[number][] = [];
    report?.forEach((stat) => stats.push(stat as Report[number]));
    return stats;
  });
}

function wayOf({ way }: Measured): string {
  if (!way) return t("connection.unknown");
  return t(way.relay ? "connection.relayed" : "connection.straight", { protocol: way.protocol });
}

/** Everything as text, without a word of the invite. */
function forSupport(measured: Measured, room: Room): string {
  const { roundTrip, lostHere, lostThere, place } = measured;
  const share = (part: number | null) => (part === null ? "unknown" : `${(part * 100).toFixed(1)} %`);
  return [
    new Date().toISOString(),
    navigator.userAgent,
    `session ${room.name}, participant ${room.localParticipant.sid}, quality ${room.localParticipant.connectionQuality}`,
    `media by ${measured.way ? `${measured.way.protocol}${measured.way.relay ? " to a relay" : ""}` : "unknown"}, to ${place ?? "unknown"}`,
    `round trip ${roundTrip ?? "unknown"} ms, lost on the way here ${share(lostHere)}, lost on the way there ${share(lostThere)}`,
  ].join("\n");
}

/** Opens the dialog. */
export function showConnection(room: Room): void {
  const facts = (["way", "place", "roundTrip", "lostHere", "lostThere"] as const).map((name) => ({ name, value: el("dd") }));
  const text = el("textarea", { id: newId("details"), readonly: true, rows: 5, dir: "ltr" });
  const told = el("p", { role: "status" });
  let open = true;
  const look = async (): Promise<void> => {
    const measured = measure(await reports(room).catch(() => []));
    if (!open) return;
    const { place, roundTrip, lostHere, lostThere } = measured;
    const unknown = t("connection.unknown");
    const values = {
      way: wayOf(measured),
      place: place ?? unknown,
      roundTrip: roundTrip === null ? unknown : t("connection.milliseconds", { number: roundTrip }),
      lostHere: lostHere === null ? unknown : percent(lostHere),
      lostThere: lostThere === null ? unknown : percent(lostThere),
    };
    for (const { name, value } of facts) setText(value, values[name]);
    // Whoever is about to copy it keeps what they see.
    if (document.activeElement !== text) text.value = forSupport(measured, room);
  };
  const timer = window.setInterval(() => void look(), EVERY);
  void look();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text.value);
      setText(told, t("connection.copied"));
    } catch {
      text.select();
      setText(told, t("connection.copyFailed"));
    }
  };
  openDialog(
    t("connection.title"),
    (close) => [
      el("dl", { class: "facts" }, ...facts.map(({ name, value }) => el("div", {}, el("dt", {}, t(`connection.${name}`)), value))),
      el("div", { class: "field" }, el("label", { for: text.id }, t("connection.details")), text),
      el("p", { class: "hint" }, t("connection.detailsText")),
      told,
      el(
        "div",
        { class: "choices" },
        el("button", { type: "button", click: close }, t("dialog.close")),
        el("button", { type: "button", class: "primary", click: () => void copy() }, t("connection.copy")),
      ),
    ],
    () => {
      open = false;
      clearInterval(timer);
    },
  );
}
