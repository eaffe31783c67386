// Whether sound and pictures find their way between this browser and the media server, beside signalling.

import { ConnectionError, ConnectionErrorReason, type Room, RoomEvent } from "livekit-client";
import { Problem, type Way } from "./api";
import { type Report, placesNamed } from "./connection";
import { protocolsOffered, reportsOf } from "./reports";
import { useSubprotocol } from "./signalling";

/** After so many attempts in a row it is the network that lets no media through, and not a slow start of browser or media server. */
export const MEDIA_ATTEMPTS = 2;

/** How often the browser is asked what it tries. */
const EVERY = 500;

/** The network lets signalling through, and not the media. */
export class MediaBlocked extends Problem {
  constructor(
    /** Where the media server says that it is, such as `UDP 7882 (198.51.100.7)`. */
    readonly places: readonly string[],
  ) {
    super("media-blocked");
  }
}

/** Watches one attempt to connect. */
export class MediaPath {
  /** All that the browser has told of the attempt. */
  readonly reports: Report[] = [];
  /** The protocols of the places that the media server named. */
  readonly offered = new Set<string>();
  private signalled = false;
  private timer = 0;

  constructor(private readonly room: Room) {
    room.once(RoomEvent.SignalConnected, () => {
      this.signalled = true;
      // Asked all along: when the attempt has failed, there is nobody left to ask.
      this.timer = window.setInterval(() => void this.look(), EVERY);
    });
  }

  /** Connects. What failed is left, and rejects with `MediaBlocked` where signalling alone gets through. */
  async connect({ url, token, subprotocol }: Way, signal: AbortSignal): Promise<void> {
    const stop = () => void this.room.disconnect();
    signal.addEventListener("abort", stop);
    useSubprotocol(subprotocol);
    try {
      // What is subscribed to depends on what is in sight.
      await this.room.connect(url, token, { autoSubscribe: false });
      signal.throwIfAborted();
    } catch (error) {
      await this.room.disconnect();
      const timedOut = error instanceof ConnectionError && error.reason === ConnectionErrorReason.InternalError;
      throw this.signalled && timedOut ? new MediaBlocked(placesNamed(this.reports)) : error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Asks the browser no more. */
  close(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    for (const protocol of protocolsOffered(this.room)) this.offered.add(protocol);
    this.reports.push(...(await reportsOf(this.room)));
  }
}
