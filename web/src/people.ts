// Everybody who is in the call, with their roles, and what a Presenter can do about them.

import type { Participant } from "livekit-client";
import { type Gateway, type Permissions, ROLES } from "./api";
import { el, setText, theirs } from "./dom";
import { showGuests } from "./guests";
import { icon } from "./icons";
import { count, t } from "./messages";
import type { Moderation } from "./moderation";
import { calledOf, nameOf, originOf } from "./names";
import { showRemovals } from "./removals";

/** The attribute that says a participant's role. */
export const ROLE = "roomkeeper.io/role";

class Row {
  private readonly name = el("span", { class: "person-name" });
  private readonly role = el("span", { class: "person-role" });
  private readonly microphone = el("span", { class: "mark" });
  private readonly verbs = el("div", { class: "verbs" });
  readonly element = el("li", { class: "person" }, el("div", { class: "who" }, this.name, this.role), this.microphone, this.verbs);
  private shown = "";

  update(participant: Participant, permissions: Permissions, moderation: Moderation): void {
    const name = nameOf(participant);
    const role = participant.attributes[ROLE] ?? "";
    const microphone = participant.isMicrophoneEnabled;
    const moderates = permissions.moderate && !participant.isLocal;
    const shown = JSON.stringify([name, role, microphone, moderates]);
    if (shown === this.shown) return;
    this.shown = shown;
    const { identity } = participant;
    const called = calledOf(participant);
    this.element.dataset["identity"] = identity;
    this.name.replaceChildren(participant.isLocal ? t("call.you", { name }) : theirs(name));
    const known = ROLES.find((known) => known === role);
    const origin = originOf(participant);
    setText(this.role, [known ? t(`role.${known}`) : role, ...(origin ? [t(`origin.${origin}`)] : [])].join(" · "));
    this.microphone.replaceChildren(...(microphone ? [] : [icon("microphoneOff"), el("span", { class: "unseen" }, t("call.microphoneOff"))]));
    const verb = (kind: "mute" | "remove", action: () => Promise<void>) =>
      el("button", { type: "button", "data-verb": kind, "aria-label": t(`people.${kind}`, { name: called }), click: () => void action() }, t(`people.${kind}Short`));
    const focused = this.verbs.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset["verb"] : undefined;
    this.verbs.replaceChildren(
      ...(moderates && microphone ? [verb("mute", () => moderation.mute(identity, called))] : []),
      ...(moderates ? [verb("remove", () => moderation.remove(identity, called))] : []),
    );
    // The button under somebody's fingers was replaced by a new one, or is gone.
    if (focused) (this.verbs.querySelector<HTMLElement>(`[data-verb=${focused}]`) ?? this.verbs.querySelector<HTMLElement>("button"))?.focus();
  }
}

export class People {
  private readonly number = el("p", { class: "hint" });
  private readonly list = el("ul", { class: "people" });
  private readonly add: HTMLButtonElement;
  private readonly guests: HTMLButtonElement;
  private readonly removals: HTMLButtonElement;
  readonly element: HTMLElement;
  private readonly rows = new Map<string, Row>();

  constructor(
    private readonly moderation: Moderation,
    gateway: Gateway,
  ) {
    this.guests = el("button", { type: "button", class: "wide", click: () => showGuests(gateway) }, t("guests.title"));
    this.removals = el("button", { type: "button", class: "wide", click: () => showRemovals(gateway) }, t("removals.title"));
    this.add = el("button", { type: "button", class: "wide", click: () => moderation.add() }, icon("guest"), t("people.add"));
    this.element = el("div", { class: "panel-body" }, this.number, this.add, this.guests, this.removals, this.list);
  }

  update(participants: readonly Participant[], permissions: Permissions): void {
    this.add.hidden = this.guests.hidden = !permissions.addPeople;
    this.removals.hidden = !permissions.moderate;
    setText(this.number, count("people.count", participants.length));
    const sorted = [...participants].sort((a, b) => Number(b.isLocal) - Number(a.isLocal) || nameOf(a).localeCompare(nameOf(b)));
    const present = new Set(sorted.map((participant) => participant.identity));
    for (const [identity, row] of this.rows) {
      if (present.has(identity)) continue;
      row.element.remove();
      this.rows.delete(identity);
    }
    sorted.forEach((participant, position) => {
      const row = this.rows.get(participant.identity) ?? new Row();
      this.rows.set(participant.identity, row);
      row.update(participant, permissions, this.moderation);
      const there = this.list.children[position];
      if (there !== row.element) this.list.insertBefore(row.element, there ?? null);
    });
  }
}
