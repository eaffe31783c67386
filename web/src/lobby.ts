// Before the call: what and who and when, what others will see of this person, and the way in.

import { Absence } from "./absence";
import { announce } from "./announce";
import type { Gateway, Problem, RoomView } from "./api";
import { showConnectionCheck } from "./connectioncheck";
import { Countdown } from "./countdown";
import type { Devices } from "./devices";
import { el, newId, setText, theirs } from "./dom";
import { icon } from "./icons";
import { period, t } from "./messages";
import { Preview } from "./preview";
import type { Screen } from "./screen";

/** Devices are turned on by themselves when the call is at most this far away: nobody wants a camera on for days. */
const SOON = 15 * 60_000;
const LONGEST_NAME = 128;
/** What the button offers. Nobody is in the call, seen or heard, before they have pressed it. */
const OFFERS = { early: "lobby.joinLater", open: "lobby.join", full: "lobby.waitForPlace", over: "lobby.join", suspended: "lobby.join" } as const;

export class Lobby implements Screen {
  readonly element: HTMLElement;
  /** Whether the person wants to be in as soon as that is possible. */
  private wants = false;
  private joining = false;
  private started = false;
  private view: RoomView;
  private readonly title = el("h1");
  private readonly times = el("dd");
  private readonly hello = el("p", { class: "hello" });
  private readonly role = el("p");
  private readonly countdownLabel = el("dt");
  private readonly countdown: Countdown;
  private readonly status = el("p", { class: "status", role: "status" });
  private readonly trouble = el("p", { class: "trouble", role: "status", hidden: true });
  private readonly name = el("input", { id: newId("name"), type: "text", autocomplete: "name", maxlength: LONGEST_NAME, required: true });
  private readonly nameError = el("p", { class: "error", id: newId("name-error"), role: "alert" });
  private readonly nameField: HTMLElement;
  private readonly button = el("button", { type: "submit", class: "primary" });
  private readonly preview: Preview;
  private readonly absence = new Absence(() => true, () => this.stopWaiting());

  constructor(
    view: RoomView,
    private readonly gateway: Gateway,
    devices: Devices,
    private readonly enter: (displayName: string | null) => void,
    private readonly cancel: () => void,
  ) {
    this.view = view;
    this.countdown = new Countdown(() => gateway.now(), (left, milliseconds) => (milliseconds > 0 ? left : t("lobby.opening")));
    this.preview = new Preview(devices);
    const hint = newId("name-hint");
    this.name.value = gateway.visitorName;
    this.name.setAttribute("aria-describedby", `${hint} ${this.nameError.id}`);
    this.nameField = el(
      "div",
      { class: "field" },
      el("label", { for: this.name.id }, t("lobby.name")),
      this.name,
      el("p", { class: "hint", id: hint }, t("lobby.nameHint")),
      this.nameError,
    );
    this.name.addEventListener("input", () => setText(this.nameError, ""));
    const submit = (event: SubmitEvent) => {
      event.preventDefault();
      this.press();
    };
    const check = el("button", { type: "button", click: () => showConnectionCheck(gateway) }, t("check.show"));
    this.element = el(
      "div",
      { class: "lobby" },
      el(
        "section",
        { class: "about" },
        this.hello,
        this.title,
        el("dl", { class: "facts" }, el("div", {}, el("dt", {}, t("lobby.when")), this.times), el("div", { class: "until" }, this.countdownLabel, el("dd", {}, icon("clock"), this.countdown.element))),
        this.role,
      ),
      this.preview.element,
      el("form", { class: "enter", novalidate: true, submit }, this.nameField, this.status, this.trouble, this.button, check),
    );
    this.update(view);
  }

  /** Takes in what the gateway says now. */
  update(view: RoomView): void {
    const before = this.view;
    this.view = view;
    this.trouble.hidden = true;
    if (before.validFrom !== view.validFrom || before.validUntil !== view.validUntil) announce(t("lobby.changed"));
    this.preview.limit(view.permissions);
    const opens = Date.parse(view.validFrom);
    if (!this.started && opens - this.gateway.now() <= SOON && (view.permissions.microphone || view.permissions.camera)) {
      this.started = true;
      void this.preview.start();
    }
    if (view.state === "open" && !this.joining && this.wants) this.go();
    this.refresh();
  }

  /** Says that asking did not work. */
  failed(problem: Problem): void {
    this.trouble.hidden = false;
    setText(this.trouble, t(problem.kind === "too-many-requests" ? "unreachable.crowded" : "unreachable.notice"));
  }

  /** There is no place; it is asked for again by itself. */
  full(): void {
    this.view = { ...this.view, state: "full" };
    this.trouble.hidden = true;
    this.refresh();
  }

  /** The gateway does not take the name. */
  refuseName(): void {
    this.joining = false;
    this.wants = false;
    setText(this.nameError, t("lobby.nameRefused"));
    this.refresh();
    this.name.focus();
  }

  /** Joining did not work out, for a reason that `update` has told or will tell. */
  wait(wants: boolean): void {
    this.joining = false;
    this.wants = wants;
    this.refresh();
  }

  close(): void {
    this.absence.close();
    this.countdown.close();
    this.preview.close();
  }

  /** The chosen name, `null` where none is to be chosen, `undefined` where one is missing. */
  private named(): string | null | undefined {
    if (this.view.participant) return null;
    return this.name.value.trim() || undefined;
  }

  private press(): void {
    if (this.joining || this.wants) return this.stopWaiting();
    if (this.named() === undefined) {
      setText(this.nameError, t("lobby.nameMissing"));
      this.name.focus();
    } else if (this.view.state === "open") this.go();
    else this.wants = true;
    this.refresh();
  }

  private stopWaiting(): void {
    this.joining = false;
    this.wants = false;
    this.cancel();
    this.refresh();
  }

  private go(): void {
    const name = this.named();
    if (name === undefined) return;
    this.joining = true;
    this.wants = false;
    this.enter(name);
  }

  private refresh(): void {
    const { view } = this;
    const from = new Date(view.validFrom);
    const until = new Date(view.validUntil);
    setText(this.title, view.displayName || view.room);
    this.title.dir = "auto";
    this.hello.replaceChildren(view.participant ? filled("lobby.hello", view.participant.displayName) : t("lobby.helloGuest"));
    setText(this.times, period(from, until));
    setText(this.role, `${t("role.you", { role: t(`role.${view.role}`) })} ${t(`role.${view.role}.can`)}`);
    const early = view.state === "early";
    setText(this.countdownLabel, t(early ? "lobby.opensIn" : "lobby.closesIn"));
    this.countdown.until((early ? from : until).getTime());
    this.nameField.hidden = view.participant !== null;
    const waiting = this.wants || this.joining;
    this.name.disabled = waiting;
    this.element.dataset["state"] = this.joining ? "joining" : view.state;
    setText(this.status, this.words());
    setText(this.button, t(waiting ? (view.state === "open" ? "lobby.joining" : "lobby.stopWaiting") : OFFERS[view.state]));
  }

  private words(): string {
    switch (this.view.state) {
      case "early":
        return t(this.wants ? "lobby.earlyWaiting" : "lobby.early");
      case "full":
        return t(this.wants || this.joining ? "lobby.fullWaiting" : "lobby.full");
      default:
        return t("lobby.open");
    }
  }
}

/** A message with a name in it that may be of another direction. */
function filled(key: "lobby.hello", name: string): DocumentFragment {
  const [before = "", after = ""] = t(key, { name: "\u0000" }).split("\u0000");
  const fragment = document.createDocumentFragment();
  fragment.append(before, theirs(name), after);
  return fragment;
}
