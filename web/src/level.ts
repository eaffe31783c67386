// How loud the microphone is.

import { el } from "./dom";
import { t } from "./messages";

/** How often it is measured. */
const EVERY = 100;
/** What counts as full: people speak well below the loudest that can be recorded. */
const FULL = 0.25;

export class LevelMeter {
  private readonly bar = el("div", { class: "level-bar" });
  readonly element = el(
    "div",
    { class: "level", role: "meter", "aria-label": t("devices.level"), "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 },
    this.bar,
  );
  private context: AudioContext | null = null;
  private track: MediaStreamTrack | undefined;
  private timer = 0;
  private readonly wake = () => void this.context?.resume();

  /** Measures a track instead of the one before; nothing, without one. */
  measure(track: MediaStreamTrack | undefined): void {
    if (track === this.track) return;
    this.close();
    this.show(0);
    this.track = track;
    if (!track) return;
    const context = new AudioContext();
    this.context = context;
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.timer = window.setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      this.show(Math.min(1, Math.sqrt(power) / FULL));
    }, EVERY);
    // Browsers may want to see somebody act first.
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, this.wake);
  }

  close(): void {
    clearInterval(this.timer);
    for (const event of ["pointerdown", "keydown"]) removeEventListener(event, this.wake);
    void this.context?.close();
    this.context = null;
    this.track = undefined;
  }

  private show(level: number): void {
    this.bar.style.inlineSize = `${Math.round(level * 100)}%`;
    this.element.setAttribute("aria-valuenow", String(Math.round(level * 100)));
  }
}
