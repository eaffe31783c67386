// Time until a moment, by the gateway's clock.

import { el, setText } from "./dom";
import { span } from "./messages";

/** A text that counts down to a moment. */
export class Countdown {
  readonly element = el("span", { role: "timer", class: "countdown" });
  private timer = 0;
  private target = 0;

  constructor(
    private readonly now: () => number,
    /** The words for a span, and for when there is none left. */
    private readonly words: (left: string, milliseconds: number) => string = (left) => left,
    private readonly ticked: (milliseconds: number) => void = () => undefined,
  ) {
    this.timer = window.setInterval(() => this.tick(), 1000);
  }

  until(moment: number): void {
    this.target = moment;
    this.tick();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const left = this.target - this.now();
    setText(this.element, this.words(span(left), left));
    this.ticked(left);
  }
}
