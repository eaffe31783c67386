// Camera, microphone and speaker of this person: what they want on, which device, and what came of it.

import { type LocalAudioTrack, type LocalVideoTrack, MediaDeviceFailure, Room, TrackEvent, createLocalAudioTrack, createLocalVideoTrack } from "livekit-client";
import { type Media, type Permissions, USUAL } from "./api";
import { t } from "./messages";

export type Source = "microphone" | "camera";
export type Failure = "denied" | "absent" | "busy" | "lost" | "insecure";
export const KINDS = { microphone: "audioinput", camera: "videoinput", speaker: "audiooutput" } as const;
export type Device = keyof typeof KINDS;

/** Why a device cannot be used. */
export function failureOf(error: unknown): Failure {
  if (!navigator.mediaDevices) return "insecure";
  switch (MediaDeviceFailure.getFailure(error)) {
    case MediaDeviceFailure.PermissionDenied:
      return "denied";
    case MediaDeviceFailure.NotFound:
      return "absent";
    default:
      return error instanceof DOMException && error.name === "OverconstrainedError" ? "absent" : "busy";
  }
}

/** A failure in words. */
export function failureText(source: Source, failure: Failure): string {
  return failure === "insecure" ? t("devices.insecure") : t(`devices.${source}.${failure}`);
}

/** Whether this browser can play sound through a chosen device. */
export const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype && "mediaDevices" in navigator;

export class Devices {
  /** What the person wants to be on. */
  readonly wanted: Record<Source, boolean> = { microphone: false, camera: false };
  readonly failures: Partial<Record<Source, Failure>> = {};
  readonly chosen: Partial<Record<Device, string>> = {};
  /** How the call has its media sent. */
  media: Media = USUAL;
  /** Called when a device goes away while it is on. */
  lost: () => void = () => undefined;
  private readonly tracks: { microphone?: LocalAudioTrack; camera?: LocalVideoTrack } = {};
  /** Counts what was asked of each source, so that only the last counts. */
  private readonly turns: Record<Source, number> = { microphone: 0, camera: 0 };

  track(source: "microphone"): LocalAudioTrack | undefined;
  track(source: "camera"): LocalVideoTrack | undefined;
  track(source: Source): LocalAudioTrack | LocalVideoTrack | undefined;
  track(source: Source): LocalAudioTrack | LocalVideoTrack | undefined {
    return this.tracks[source];
  }

  /** Turns a source on or off, for the preview. */
  async turn(source: Source, on: boolean): Promise<void> {
    const turn = (this.turns[source] += 1);
    this.wanted[source] = on;
    delete this.failures[source];
    this.release(source);
    if (!on) return;
    try {
      const deviceId = this.chosen[source];
      const options = deviceId === undefined ? {} : { deviceId };
      const track = source === "microphone" ? await createLocalAudioTrack(options) : await createLocalVideoTrack({ ...options, resolution: this.resolution });
      if (turn !== this.turns[source]) {
        track.stop();
        return;
      }
      Object.assign(this.tracks, { [source]: track });
      track.once(TrackEvent.Ended, () => {
        // Whoever was given the track looks after it.
        if (this.tracks[source] !== track) return;
        this.release(source);
        this.wanted[source] = false;
        this.failures[source] = "lost";
        this.lost();
      });
    } catch (error) {
      if (turn !== this.turns[source]) return;
      this.wanted[source] = false;
      this.failures[source] = failureOf(error);
    }
  }

  /** The largest picture of a camera that is sent. */
  get resolution(): { width: number; height: number } {
    const height = this.media.maxVideoHeight;
    return { width: Math.round((height * 16) / 9), height };
  }

  /** Uses another device. */
  async choose(device: Device, id: string): Promise<void> {
    this.chosen[device] = id;
    if (device !== "speaker" && this.wanted[device]) await this.turn(device, true);
  }

  /** Gives a track away; whoever takes it stops it. */
  take(source: Source): LocalAudioTrack | LocalVideoTrack | undefined {
    const track = this.tracks[source];
    delete this.tracks[source];
    this.turns[source] += 1;
    return track;
  }

  /** Drops what the role does not have. */
  limit(permissions: Permissions): void {
    for (const source of ["microphone", "camera"] as const) {
      if (permissions[source]) continue;
      this.turns[source] += 1;
      this.release(source);
      this.wanted[source] = false;
    }
  }

  /** Stops what is on, without forgetting what was wanted. */
  stop(): void {
    for (const source of ["microphone", "camera"] as const) {
      this.turns[source] += 1;
      this.release(source);
    }
  }

  private release(source: Source): void {
    this.tracks[source]?.stop();
    delete this.tracks[source];
  }
}

/** The devices of a kind, named; none while the browser hides them. */
export async function list(device: Device): Promise<{ id: string; name: string }[]> {
  if (!navigator.mediaDevices) return [];
  const found = await Room.getLocalDevices(KINDS[device], false).catch(() => []);
  return found
    .filter((info) => info.deviceId !== "")
    .map((info, index) => ({
      id: info.deviceId,
      name: info.label || t("devices.number", { kind: t(`devices.${device}`), number: index + 1 }),
    }));
}
