// A check of the connection before the call, in a session in which there is nothing to hear and to see.

import { Room, RoomEvent } from "livekit-client";
import { type Gateway, Problem } from "./api";
import { type Measured, type Report, type Ways, measure, waysTried } from "./connection";
import { detailsOfWay, factsOfWay } from "./connectiondialog";
import { FactsDialog } from "./factsdialog";
import { MEDIA_ATTEMPTS, MediaBlocked, MediaPath } from "./media";
import { list, t } from "./messages";
import { pause } from "./pace";
import { reportsOf } from "./reports";

/** How long browsers have, once one way is good, to try the others. */
const OTHER_WAYS = 3000;

/** What was found; `blocked` where the media server can be reached, and its places for media can not. */
interface Found {
  measured: Measured;
  ways: Ways;
  blocked: MediaBlocked | null;
}

/** Connects, looks, and goes away again. Rejects when the gateway or the media server cannot be reached. */
async function check(gateway: Gateway, signal: AbortSignal): Promise<Found> {
  for (let attempt = 1; ; attempt += 1) {
    const ticket = await gateway.checkConnection();
    signal.throwIfAborted();
    const room = new Room();
    const media = new MediaPath(room);
    let relays = false;
    room.once(RoomEvent.SignalConnected, () => {
      const servers = room.engine.latestJoinResponse?.iceServers ?? [];
      relays = servers.some(({ urls }) => urls.some((url) => url.startsWith("turn")));
    });
    const found = (now: readonly Report[], blocked: MediaBlocked | null): Found => ({
      measured: measure(now),
      ways: waysTried([...media.reports, ...now], [...media.offered], relays),
      blocked,
    });
    try {
      await media.connect(ticket, signal);
      await pause(OTHER_WAYS, signal);
      return found(await reportsOf(room), null);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof MediaBlocked)) throw error;
      if (attempt === MEDIA_ATTEMPTS) return found([], error);
    } finally {
      media.close();
      await room.disconnect();
    }
  }
}

/** What it comes to, in a sentence. */
function verdict({ blocked }: Found): string {
  if (!blocked) return t("check.fine");
  return `${t("gone.media.title")}. ${t("gone.media.text", { places: list(blocked.places) || t("gone.media.unknown") })}`;
}

/** Opens the dialog, and checks. */
export function showConnectionCheck(gateway: Gateway): void {
  const closed = new AbortController();
  const dialog = new FactsDialog(() => closed.abort(new DOMException("closed", "AbortError")));
  dialog.say(t("check.running"));
  check(gateway, closed.signal).then(
    (found) => {
      const { measured, ways, blocked } = found;
      const facts = Object.entries(ways).map(([way, tried]) => [t(`check.${way as keyof Ways}`), t(`check.${tried}`)] as const);
      const about = `check before the call, UDP ${ways.udp}, TCP ${ways.tcp}, TURN ${ways.turn}`;
      const details = detailsOfWay(measured, about) + (blocked ? `\nno answer from ${blocked.places.join(", ") || "no place"}` : "");
      dialog.show({ ...(blocked ? {} : factsOfWay(measured)), ...Object.fromEntries(facts) }, details);
      dialog.say(verdict(found));
    },
    (error: unknown) => {
      if (closed.signal.aborted) return;
      const kind = error instanceof Problem ? error.kind : "signalling";
      dialog.say(t("check.failed"));
      dialog.show({}, [new Date().toISOString(), navigator.userAgent, `check before the call: ${kind}`].join("\n"));
    },
  );
}
