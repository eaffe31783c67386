// Says what happens: to everybody in sight, and to screen readers.

import { el } from "./dom";

/** How long a notice stays in sight. */
const IN_SIGHT = 8_000;
const MOST = 3;

const polite = el("div", { class: "notices", role: "status", "aria-live": "polite" });
const urgent = el("div", { class: "notices", role: "alert", "aria-live": "assertive" });
const places = el("div", { class: "notice-places" }, urgent, polite);

/** Where notices appear. It is there from the start: screen readers miss what comes together with its place. */
export function noticePlace(): HTMLElement {
  return places;
}

/** Says something once; `unseen` is for what everybody in sight of the page sees anyway. */
export function announce(text: string, urgency: "unseen" | "polite" | "urgent" = "polite"): void {
  const place = urgency === "urgent" ? urgent : polite;
  const notice = el("p", { class: urgency === "unseen" ? "unseen" : "notice" }, text);
  place.append(notice);
  while (place.childElementCount > MOST) place.firstElementChild?.remove();
  setTimeout(() => notice.remove(), IN_SIGHT);
}

/** Takes back what was said on an earlier screen. */
export function silence(): void {
  polite.replaceChildren();
  urgent.replaceChildren();
}
