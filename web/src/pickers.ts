// Choice of camera, microphone and speaker.

import { type Device, canChooseSpeaker, list } from "./devices";
import { el, newId } from "./dom";
import { t } from "./messages";

/** Lists to choose devices from, kept up to date while devices come and go. */
export class Pickers {
  readonly element = el("div", { class: "pickers" });
  private readonly fields = new Map<Device, { field: HTMLElement; select: HTMLSelectElement; shown: string }>();
  private readonly refreshed = () => void this.refresh();

  constructor(
    devices: readonly Device[],
    private readonly current: (device: Device) => string | undefined,
    changed: (device: Device, id: string) => void,
  ) {
    for (const device of devices) {
      if (device === "speaker" && !canChooseSpeaker) continue;
      const id = newId("device");
      const select = el("select", { id, change: () => changed(device, select.value) });
      const field = el("div", { class: "field", hidden: true }, el("label", { for: id }, t(`devices.${device}`)), select);
      this.fields.set(device, { field, select, shown: "" });
      this.element.append(field);
    }
    navigator.mediaDevices?.addEventListener("devicechange", this.refreshed);
    this.refreshed();
  }

  /** Looks at the devices again: their names are known once one of them is in use. */
  async refresh(): Promise<void> {
    for (const [device, entry] of this.fields) {
      const { field, select } = entry;
      const found = await list(device);
      field.hidden = found.length === 0;
      const shown = JSON.stringify(found);
      // New options would close a list that somebody has open.
      if (shown !== entry.shown) select.replaceChildren(...found.map(({ id, name }) => el("option", { value: id }, name)));
      entry.shown = shown;
      const current = this.current(device);
      if (current !== undefined && current !== select.value && found.some(({ id }) => id === current)) select.value = current;
    }
  }

  close(): void {
    navigator.mediaDevices?.removeEventListener("devicechange", this.refreshed);
  }
}
