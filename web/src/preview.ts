// What others will see and hear: camera picture, microphone level, and the choice of devices.

import type { Permissions } from "./api";
import { type Devices, type Source, failureText } from "./devices";
import { el, setAttribute, setText } from "./dom";
import { icon } from "./icons";
import { LevelMeter } from "./level";
import { t } from "./messages";
import { Pickers } from "./pickers";

export class Preview {
  readonly element: HTMLElement;
  private readonly video = el("video", { autoplay: true, playsinline: true, "aria-label": t("devices.preview") });
  private readonly placeholder = el("p", { class: "no-picture" }, t("devices.cameraIsOff"));
  private readonly picture = el("div", { class: "picture" }, this.video, this.placeholder);
  private readonly trouble = el("div", { class: "trouble", role: "status" });
  private readonly meter = new LevelMeter();
  private readonly pickers: Pickers;
  private permissions: Permissions | null = null;
  private closed = false;
  private readonly buttons: Record<Source, HTMLButtonElement>;

  constructor(private readonly devices: Devices) {
    this.video.muted = true;
    devices.lost = () => this.refresh();
    this.buttons = { microphone: this.toggle("microphone"), camera: this.toggle("camera") };
    this.picture.append(el("div", { class: "picture-controls" }, this.buttons.microphone, this.buttons.camera));
    this.pickers = new Pickers(["camera", "microphone", "speaker"], (device) => this.inUse(device), (device, id) => {
      void this.devices.choose(device, id).then(() => this.refresh());
    });
    this.element = el(
      "section",
      { class: "preview", "aria-label": t("devices.title") },
      this.picture,
      this.meter.element,
      this.trouble,
      this.pickers.element,
    );
    this.refresh();
  }

  /** Turns both on, one question of the browser after the other; each may fail without the other. */
  async start(): Promise<void> {
    const sources = (["microphone", "camera"] as const).filter((source) => this.permissions?.[source] ?? true);
    for (const source of sources) this.devices.wanted[source] = true;
    for (const source of sources) {
      // Turned off, or gone into the call, while the browser asked about the other.
      if (this.closed || !this.devices.wanted[source]) continue;
      await this.devices.turn(source, true);
      this.refresh();
    }
  }

  /** Shows what the role has. */
  limit(permissions: Permissions): void {
    this.permissions = permissions;
    this.devices.limit(permissions);
    this.element.hidden = !permissions.microphone && !permissions.camera;
    this.refresh();
  }

  close(): void {
    this.closed = true;
    this.meter.close();
    this.pickers.close();
    this.video.srcObject = null;
  }

  private inUse(device: "microphone" | "camera" | "speaker"): string | undefined {
    const track = device === "speaker" ? undefined : this.devices.track(device)?.mediaStreamTrack;
    return track?.getSettings().deviceId ?? this.devices.chosen[device];
  }

  private toggle(source: Source): HTMLButtonElement {
    const click = () => {
      const turned = this.devices.turn(source, !this.devices.wanted[source]);
      this.refresh();
      void turned.then(() => this.refresh());
    };
    return el("button", { type: "button", class: "round", "data-control": source, click });
  }

  private refresh(): void {
    if (this.closed) return;
    for (const source of ["microphone", "camera"] as const) {
      const on = this.devices.wanted[source];
      const label = t(`devices.${source}${on ? "Off" : "On"}`);
      const button = this.buttons[source];
      setAttribute(button, "aria-label", label);
      setAttribute(button, "title", label);
      button.classList.toggle("off", !on);
      button.hidden = !(this.permissions?.[source] ?? true);
      button.replaceChildren(icon(on ? source : `${source}Off`));
    }
    const camera = this.devices.track("camera")?.mediaStreamTrack;
    this.video.hidden = !camera;
    this.placeholder.hidden = camera !== undefined;
    const shown = (this.video.srcObject as MediaStream | null)?.getVideoTracks()[0];
    if (shown !== camera) this.video.srcObject = camera ? new MediaStream([camera]) : null;
    this.meter.measure(this.devices.track("microphone")?.mediaStreamTrack);
    const failures = new Set<string>();
    for (const source of ["microphone", "camera"] as const) {
      const failure = this.devices.failures[source];
      if (failure) failures.add(failureText(source, failure));
    }
    const words = [...failures].join(" ");
    this.trouble.hidden = words === "";
    setText(this.trouble, words);
    void this.pickers.refresh();
  }
}
