// From an invite to a call and out of it again: which screen comes after which.

import type { Room } from "livekit-client";
import { Gateway, Problem, type RoomView } from "./api";
import { Call } from "./call";
import { Devices } from "./devices";
import { el } from "./dom";
import { type Obstacle, type Parting, enter } from "./enter";
import { type Reason, gone } from "./gone";
import { Lobby } from "./lobby";
import { MediaBlocked } from "./media";
import { clockTime, list, t } from "./messages";
import { SPREAD, backoff, pause } from "./pace";
import { card, show } from "./screen";
import { CALLING, watchRoom } from "./watch";

/** After a removal the gateway may be behind the media server: it is asked once more before it is believed. */
const SECOND_LOOK = 1000;

/** One use of one invite. */
export class App {
  /** Whether this person is in the call, or on the way into it. */
  engaged = false;
  private readonly gateway: Gateway;
  private readonly devices = new Devices();
  /** Ends what the present screen has under way. */
  private stage = new AbortController();
  private lobby: Lobby | null = null;
  /** What the gateway said last. */
  private latest: RoomView | null = null;

  constructor(invite: string) {
    this.gateway = new Gateway(invite);
  }

  /** Begins at the door. */
  start(): void {
    this.next();
    this.engaged = false;
    show(card(t("app.name"), el("p", { class: "lead", role: "status" }, t("app.loading"))), t("app.name"));
    this.wait();
  }

  /** Ends everything, because another invite takes over. */
  close(): void {
    this.next();
    this.devices.stop();
  }

  /** Ends what is under way, and gives the signal for what comes. */
  private next(): AbortSignal {
    this.stage.abort(new DOMException("another screen", "AbortError"));
    this.stage = new AbortController();
    this.lobby = null;
    return this.stage.signal;
  }

  /** Waits before the door until the person is in, or it is plain that they will not be. */
  private wait(): void {
    const { signal } = this.stage;
    const watcher = {
      seen: (view: RoomView) => this.seen(view),
      failed: (problem: Problem) => this.failed(problem),
    };
    void watchRoom(this.gateway, watcher, signal);
  }

  private seen(view: RoomView): void {
    if (view.state === "over") return this.gone("over");
    if (view.state === "suspended") return this.suspended();
    // The client of that service is not free software, so that it is not part of this page.
    if (view.kind !== "liveKit") return this.gone("client");
    this.latest = view;
    this.devices.media = view.media;
    if (!this.lobby) {
      const { signal } = this.stage;
      let attempt = new AbortController();
      const cancel = () => attempt.abort(new DOMException("cancelled", "AbortError"));
      signal.addEventListener("abort", () => cancel());
      const go = (displayName: string | null) => {
        attempt = new AbortController();
        void this.join(displayName, attempt.signal);
      };
      this.lobby = show(new Lobby(view, this.gateway, this.devices, go, cancel), view.displayName || view.room);
    }
    this.lobby.update(view);
  }

  private failed(problem: Problem): void {
    // Somebody whom a Presenter removed, for example: before the door they are anybody with the link again.
    if (this.gateway.endsVisit(problem)) return this.start();
    if (!problem.passes) return this.refused(problem, "invalid");
    if (this.lobby) return this.lobby.failed(problem);
    const words = problem.kind === "too-many-requests" ? "unreachable.crowded" : "unreachable.text";
    show(card(t("unreachable.title"), el("p", { class: "lead", role: "status" }, t(words))), t("unreachable.title"));
  }

  /** A suspended call may be opened again: the door stays in sight. */
  private suspended(): void {
    if (this.lobby === null && document.querySelector("[data-reason=suspended]")) return;
    this.lobby = null;
    this.engaged = false;
    this.devices.stop();
    show(gone("suspended", () => this.start()), t("gone.suspended.title"));
  }

  private gone(reason: Reason, values: Record<string, string> = {}): void {
    this.next();
    this.engaged = false;
    this.devices.stop();
    show(gone(reason, () => this.start(), values), t(`gone.${reason}.title`));
  }

  /** Tells of a problem that does not pass by itself; `invalid` is what an invalid invite means at this moment. */
  private refused(problem: Problem, invalid: Reason): void {
    if (problem instanceof MediaBlocked) this.gone("media", { places: list(problem.places) || t("gone.media.unknown") });
    else if (problem.kind === "invalid-invite") this.gone(invalid);
    else if (problem.kind === "over" || problem.kind === "login" || problem.kind === "removed") this.gone(problem.kind);
    else this.gone("refused");
  }

  /** Goes in from the lobby. */
  private async join(displayName: string | null, signal: AbortSignal): Promise<void> {
    const { lobby, latest } = this;
    if (!lobby || !latest) return;
    const call = this.call(latest, displayName);
    this.engaged = true;
    try {
      const room = await enter(this.gateway, this.devices, displayName, (room) => call.prepare(room), (obstacle) => this.hindered(lobby, obstacle), signal);
      await this.entered(call, room, latest);
    } catch (error) {
      call.close();
      this.engaged = false;
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      if (error.kind === "bad-request" && displayName !== null) lobby.refuseName();
      else if (error.kind === "too-early") lobby.wait(true);
      else if (error.kind === "suspended") this.suspended();
      else if (this.gateway.endsVisit(error)) this.start();
      else this.refused(error, "invalid");
    }
  }

  private hindered(lobby: Lobby, obstacle: Obstacle): void {
    if (obstacle === "full") lobby.full();
    else lobby.failed(new Problem(obstacle));
  }

  private call(view: RoomView, displayName: string | null): Call {
    const call: Call = new Call(view, this.gateway, this.devices, (how) => void this.parted(call, how, displayName));
    return call;
  }

  private async entered(call: Call, room: Room, view: RoomView): Promise<void> {
    const signal = this.next();
    show(call, t("call.title", { title: view.displayName || view.room }));
    this.observe(call, signal);
    await call.connected(room);
  }

  /** Keeps an eye on the Room while the call runs. */
  private observe(call: Call, signal: AbortSignal): void {
    // Failures do not matter as long as the call goes on; when it does not, the media server says so.
    void watchRoom(this.gateway, { seen: (view) => call.update(view), failed: () => undefined }, signal, CALLING);
  }

  /** The call is over for this person: tells why, or goes back in. */
  private async parted(call: Call, how: Parting, displayName: string | null): Promise<void> {
    const signal = this.next();
    if (how === "left" || how === "elsewhere" || how === "away") return this.gone(how);
    if (how === "removed") this.gateway.forgetVisitor();
    try {
      if (how === "lost") return await this.comeBack(call, displayName, signal);
      call.returning(t("app.loading"));
      let view = await this.ask(signal);
      if (how === "removed" && (view.state === "open" || view.state === "full")) {
        await pause(SECOND_LOOK, signal);
        view = await this.ask(signal);
      }
      this.told(how, view);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      // The removal of a visitor may come to light only when they come back.
      if (this.gateway.endsVisit(error)) return await this.parted(call, "removed", displayName);
      if (error.kind === "suspended") return this.suspendedNow();
      if (error.kind === "too-early") return this.start();
      // An invite that is not known any more after the whole call was closed belongs to a call that is gone.
      this.refused(error, how === "closed" ? "over" : "revoked");
    }
  }

  private told(how: Parting, view: RoomView): void {
    if (view.state === "over") this.gone("over");
    else if (view.state === "suspended") this.suspendedNow();
    else if (view.state === "early") this.start();
    else if (how === "removed") this.gone("removed");
    else this.gone("ended", { time: clockTime(new Date(view.validUntil)) });
  }

  private suspendedNow(): void {
    this.next();
    this.suspended();
    this.wait();
  }

  /** Asks about the Room until there is an answer. */
  private async ask(signal: AbortSignal): Promise<RoomView> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.gateway.room();
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Problem) || !error.passes) throw error;
        await pause(backoff(attempt, error.retryAfter), signal);
      }
    }
  }

  /** Returns after a lost connection, for as long as the call is open. */
  private async comeBack(call: Call, displayName: string | null, signal: AbortSignal): Promise<void> {
    call.returning(`${t("returning.title")}. ${t("returning.text")}`);
    const hindered = (obstacle: Obstacle) => {
      if (obstacle === "full") call.returning(t("returning.full"));
    };
    await pause(Math.random() * SPREAD, signal);
    const room = await enter(this.gateway, this.devices, displayName, (room) => call.prepare(room), hindered, signal);
    this.observe(call, signal);
    await call.connected(room);
  }
}
