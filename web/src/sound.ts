// The voices of the others, and of what they share. Pictures are elsewhere: a voice is heard whoever is in sight.

import { type RemoteTrack, type Room, RoomEvent, Track } from "livekit-client";
import { el } from "./dom";
import { t } from "./messages";

export class Sound {
  /** Browsers let a page make a noise only after somebody has touched it. */
  readonly prompt: HTMLElement;
  private readonly players = el("div", { hidden: true });
  private room: Room | null = null;

  constructor() {
    const start = () => void this.room?.startAudio();
    this.prompt = el("div", { class: "banner", role: "status", hidden: true }, el("span", {}, t("call.soundBlocked")), el("button", { type: "button", class: "primary", click: start }, t("call.sound")));
    this.prompt.append(this.players);
  }

  listen(room: Room): void {
    this.room = room;
    this.players.replaceChildren();
    room.on(RoomEvent.TrackSubscribed, (track: RemoteTrack) => {
      if (track.kind === Track.Kind.Audio) this.players.append(track.attach());
    });
    room.on(RoomEvent.TrackUnsubscribed, (track: RemoteTrack) => {
      if (track.kind === Track.Kind.Audio) track.detach().forEach((element) => element.remove());
    });
    room.on(RoomEvent.AudioPlaybackStatusChanged, () => this.refresh());
  }

  refresh(): void {
    this.prompt.hidden = this.room?.canPlaybackAudio ?? true;
  }
}
