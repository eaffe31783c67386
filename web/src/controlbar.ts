// The buttons of the call: each says what it does next.

import { el, setAttribute, setText } from "./dom";
import { type Icon, icon } from "./icons";
import { type Key, t } from "./messages";

export class Control {
  private readonly label = el("span", { class: "label" });
  private readonly badge = el("span", { class: "badge", hidden: true });
  readonly element: HTMLButtonElement;
  private shown = "";

  constructor(name: string, click: () => void) {
    this.element = el("button", { type: "button", class: "control", "data-control": name, click }, this.badge, this.label);
  }

  /** Shows what the button does now. */
  set(picture: Icon, label: Key, look: "" | "off" | "danger" | "on" = ""): void {
    const shown = `${picture} ${label} ${look}`;
    if (shown === this.shown) return;
    this.shown = shown;
    this.element.querySelector("svg")?.remove();
    this.element.prepend(icon(picture));
    setText(this.label, t(label));
    setAttribute(this.element, "title", t(label));
    this.element.className = `control ${look}`;
  }

  /** Whether there is something new behind the button. */
  news(text: string): void {
    this.badge.hidden = text === "";
    setText(this.badge, text);
  }
}
