// Cameras and microphones that go away during a call: unplugged, switched off, or not allowed any more.

import { type LocalTrackPublication, type Room, RoomEvent, Track, TrackEvent } from "livekit-client";
import { announce } from "./announce";
import { type Source, failureText } from "./devices";
import { t } from "./messages";

/** The sources that have lost their device. */
export class Unplugged {
  private readonly lost = new Set<Source>();

  /** Listens on a connection that is about to be made. */
  listen(room: Room): void {
    room.on(RoomEvent.LocalTrackPublished, (publication) => this.watch(publication));
  }

  /** Whether a source is off because its device is gone. */
  has(source: Source): boolean {
    return this.lost.has(source);
  }

  private watch({ source, track }: LocalTrackPublication): void {
    const name = source === Track.Source.Microphone ? "microphone" : source === Track.Source.Camera ? "camera" : null;
    if (name === null || !track) return;
    this.lost.delete(name);
    track.on(TrackEvent.Ended, () => {
      this.lost.add(name);
      announce(failureText(name, "lost"), "urgent");
    });
    // LiveKit takes another device, if there is one.
    track.on(TrackEvent.Restarted, () => {
      if (this.lost.delete(name)) announce(t(`devices.${name}.replaced`, { device: track.mediaStreamTrack.label }), "urgent");
    });
  }
}
