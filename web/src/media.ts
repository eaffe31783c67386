// Whether sound and pictures find their way between this browser and the media server, beside signalling.

import { ConnectionError, ConnectionErrorReason, type Room, RoomEvent } from "livekit-client";
import { Problem } from "./api";
import { type Report, placesNamed } from "./connection";
import { protocolsOffered, reportsOf } from "./reports";

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

  close(): void {
    clearInterval(this.timer);
  }

  /** What a failure to connect says about the network, if it says anything. */
  blocked(error: unknown): MediaBlocked | null {
    const timedOut = error instanceof ConnectionError && error.reason === ConnectionErrorReason.InternalError;
    return this.signalled && timedOut ? new MediaBlocked(placesNamed(this.reports)) : null;
  }

  private async look(): Promise<void> {
    for (const protocol of protocolsOffered(this.room)) this.offered.add(protocol);
    this.reports.push(...(await reportsOf(this.room)));
  }
}
