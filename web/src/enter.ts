// The way from the door into the call: a ticket from the gateway, then the media server. Used for the first time and for each return.

import { DisconnectReason, Room, type RoomOptions } from "livekit-client";
import { type Gateway, Problem } from "./api";
import type { Devices } from "./devices";
import { around, backoff, pause } from "./pace";
import { useSubprotocol } from "./signalling";

/** How often to ask for a place in a full call. */
const FULL = 10_000;
/** Delays of LiveKit's own attempts to get a broken connection back. After the last we ask the gateway, which knows why. */
const RESUMPTIONS = [0, 300, 700, 1500, 2500];
/** A chat message is a few lines; more is not kept. */
const LONGEST_MESSAGE = 64 * 1024;

function options(devices: Devices): RoomOptions {
  const chosen = (deviceId: string | undefined) => (deviceId === undefined ? {} : { deviceId });
  return {
    adaptiveStream: true,
    dynacast: true,
    audioCaptureDefaults: chosen(devices.chosen.microphone),
    videoCaptureDefaults: chosen(devices.chosen.camera),
    audioOutput: chosen(devices.chosen.speaker),
    dataStream: { maxPayloadByteLength: LONGEST_MESSAGE },
    reconnectPolicy: { nextRetryDelayInMs: ({ retryCount }) => RESUMPTIONS[retryCount] ?? null },
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
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    let delay: number;
    try {
      const ticket = await gateway.join(displayName);
      signal.throwIfAborted();
      useSubprotocol(ticket.subprotocol);
      const room = new Room(options(devices));
      prepare(room);
      const stop = () => void room.disconnect();
      signal.addEventListener("abort", stop);
      try {
        await room.connect(ticket.url, ticket.token);
        signal.throwIfAborted();
        return room;
      } catch (error) {
        await room.disconnect();
        throw error;
      } finally {
        signal.removeEventListener("abort", stop);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Problem && error.kind === "full") {
        hindered("full");
        delay = around(FULL);
      } else if (error instanceof Problem && !error.passes) {
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

/** What a disconnect means for this person. */
export type Parting = "left" | "elsewhere" | "removed" | "closed" | "lost";

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
