// How long the call still lasts, in sight, and said aloud near the end.

import { announce } from "./announce";
import { Countdown } from "./countdown";
import { span, t } from "./messages";

const MINUTE = 60_000;
/** Before the end, when it is said aloud. */
const WARNINGS = [MINUTE, 5 * MINUTE];
/** Ends that are further away are not worth a place in sight. */
const FAR = 12 * 60 * MINUTE;
/** Ends that differ by less are the same. */
const SAME = 1000;

export class TimeLeft {
  private readonly countdown: Countdown;
  private until = 0;
  /** The warning that was given last; smaller ones are still to come. */
  private warned = Infinity;

  constructor(private readonly now: () => number) {
    this.countdown = new Countdown(
      now,
      (_, left) => t("time.left", { time: words(left) }),
      (left) => this.warn(left),
    );
    this.element.classList.add("time-left");
  }

  get element(): HTMLElement {
    return this.countdown.element;
  }

  /** The end, which may have moved since it was told last. */
  ends(until: number): void {
    if (Math.abs(until - this.until) < SAME) return;
    if (this.until !== 0) announce(t("call.endMoved", { time: words(until - this.now()) }));
    this.until = until;
    this.warned = Infinity;
    this.countdown.until(until);
  }

  close(): void {
    this.countdown.close();
  }

  private warn(left: number): void {
    this.element.hidden = left > FAR;
    const due = WARNINGS.find((warning) => left <= warning);
    this.element.dataset["urgency"] = due === undefined ? "none" : due === MINUTE ? "last" : "soon";
    if (due === undefined || due >= this.warned || left <= 0) return;
    this.warned = due;
    announce(t("time.warning", { time: words(left) }), due === MINUTE ? "urgent" : "polite");
  }
}

/** Seconds count in the last minute alone. */
function words(left: number): string {
  return span(left, left > MINUTE ? "minute" : "second");
}
