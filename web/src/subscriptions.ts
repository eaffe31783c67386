// What is asked of the media server: every voice, every shared screen, and the pictures of those who are in sight.

import { type RemoteTrackPublication, type Room, RoomEvent, Track } from "livekit-client";

/** In larger calls a voice is asked for when its microphone is first switched on: most never are, and each costs a line of negotiation. */
const LARGE = 50;

export class Subscriptions {
  private readonly asked = new WeakMap<RemoteTrackPublication, boolean>();

  /** Listens on a connection that is about to be made, with `autoSubscribe: false`. */
  listen(room: Room): void {
    // At once, and not with the next look at everything: somebody may be speaking.
    const hear = (publication: RemoteTrackPublication) => this.hear(room, publication);
    room.on(RoomEvent.TrackPublished, hear);
    room.on(RoomEvent.TrackUnmuted, (publication, participant) => {
      if (!participant.isLocal) hear(publication as RemoteTrackPublication);
    });
  }

  /** Asks for what is in sight, and for no other pictures. */
  see(room: Room, inSight: ReadonlySet<string>): void {
    for (const participant of room.remoteParticipants.values()) {
      for (const publication of participant.trackPublications.values()) {
        if (publication.source === Track.Source.Camera) this.ask(publication, inSight.has(participant.identity));
        else this.hear(room, publication);
      }
    }
  }

  private hear(room: Room, publication: RemoteTrackPublication): void {
    if (publication.source === Track.Source.Camera) return;
    const later = publication.source === Track.Source.Microphone && publication.isMuted && room.remoteParticipants.size >= LARGE;
    if (!later) this.ask(publication, true);
  }

  private ask(publication: RemoteTrackPublication, wanted: boolean): void {
    if (this.asked.get(publication) === wanted) return;
    this.asked.set(publication, wanted);
    publication.setSubscribed(wanted);
  }
}
