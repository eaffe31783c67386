// The way from the door into the call: a ticket from the gateway, then the media server. Used for the first time and for each return.

import { DisconnectReason, Room, type RoomOptions } from "livekit-client";
import { type Gateway, Problem } from "./api";
import type { Devices } from "./devices";
import { MEDIA_ATTEMPTS, MediaBlocked, MediaPath } from "./media";
import { around, backoff, pause, resumption } from "./pace";

/** How often to ask for a place in a full call. */
const FULL = 10_000;
/** A chat message is a few lines; more is not kept. */
const LONGEST_MESSAGE = 64 * 1024;

const CODECS = { VP8: "vp8", VP9: "vp9", H264: "h264", AV1: "av1" } as const;

function options(devices: Devices): RoomOptions {
  const chosen = (deviceId: string | undefined) => (deviceId === undefined ? {} : { deviceId });
  return {
    adaptiveStream: true,
    dynacast: true,
    audioCaptureDefaults: chosen(devices.chosen.microphone),
    videoCaptureDefaults: { ...chosen(devices.chosen.camera), resolution: devices.resolution },
    publishDefaults: { videoCodec: CODECS[devices.media.videoCodec] },
    audioOutput: chosen(devices.chosen.speaker),
    dataStream: { maxPayloadByteLength: LONGEST_MESSAGE },
    reconnectPolicy: { nextRetryDelayInMs: ({ retryCount }) => resumption(retryCount) },
  };
}

/** What keeps somebody out for the moment, while it is tried again. */
export type Obstacle = "full" | "unreachable" | "too-many-requests";

/**
 * Tries until the person is in. Rejects with a `Problem` that does not pass by itself, or when `signal` is aborted. `prepare`
 * sees the connection before anything happens on it.
 */
export async function enter(
  gateway: Gateway,
  devices: Devices,
  displayName: string | null,
  prepare: (room: Room) => void,
  hindered: (obstacle: Obstacle) => void,
  signal: AbortSignal,
): Promise<Room> {
  let withoutMedia = 0;
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    let delay: number;
    try {
      const ticket = await gateway.join(displayName);
      signal.throwIfAborted();
      const room = new Room(options(devices));
      prepare(room);
      const media = new MediaPath(room);
      await media.connect(ticket, signal).finally(() => media.close());
      return room;
    } catch (error) {
      signal.throwIfAborted();
      withoutMedia = error instanceof MediaBlocked ? withoutMedia + 1 : 0;
      const lasting = error instanceof MediaBlocked ? withoutMedia === MEDIA_ATTEMPTS : error instanceof Problem && !error.passes;
      if (error instanceof Problem && error.kind === "full") {
        hindered("full");
        delay = around(FULL);
      } else if (lasting) {
        throw error;
      } else {
        // What the media server says about it is not worth more than another ticket.
        hindered(error instanceof Problem && error.kind === "too-many-requests" ? "too-many-requests" : "unreachable");
        delay = backoff(attempt, error instanceof Problem ? error.retryAfter : 0);
      }
    }
    await pause(delay, signal);
  }
}

/** What a disconnect means for this person; `away` is a connection that was lost for so long that they may have gone. */
export type Parting = "left" | "elsewhere" | "removed" | "closed" | "lost" | "away";

/** Reads LiveKit's reason. What is not known is a lost connection: then the gateway is asked, which knows better. */
export function parting(reason: DisconnectReason | undefined): Parting {
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return "left";
    case DisconnectReason.DUPLICATE_IDENTITY:
      return "elsewhere";
    case DisconnectReason.PARTICIPANT_REMOVED:
      return "removed";
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return "closed";
    default:
      return "lost";
  }
}
