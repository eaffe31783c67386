// In the call: pictures, controls, chat and people, and what changes while it runs.

import { ConnectionState, type Participant, type Room, RoomEvent, Track } from "livekit-client";
import { Absence } from "./absence";
import { announce } from "./announce";
import type { Gateway, Permissions, RoomView } from "./api";
import { Chat } from "./chat";
import { ChatNews } from "./chatnews";
import { showConnection } from "./connectiondialog";
import { Control } from "./controlbar";
import { type Device, type Devices, KINDS, type Source, failureOf, failureText } from "./devices";
import { closeDialogs, openDialog } from "./dialog";
import { el, setText } from "./dom";
import { icon } from "./icons";
import { type Parting, parting } from "./enter";
import { t } from "./messages";
import { Moderation } from "./moderation";
import { calledOf } from "./names";
import { People, ROLE } from "./people";
import { Pickers } from "./pickers";
import type { Screen } from "./screen";
import { Sound } from "./sound";
import { Subscriptions } from "./subscriptions";
import { Tiles } from "./tiles";
import { TimeLeft } from "./timeleft";
import { Unplugged } from "./unplugged";

/** How long changes are gathered before they are shown. */
const GATHER = 60;
/** In larger calls it is not said who comes and goes. */
const SMALL = 12;
/** Pauses between looks at the Room after a change of role that the gateway may not have seen yet. */
const LOOKS = [100, 400, 1000, 2000, 4000];

/** What changes what is in sight. */
const CHANGES = [
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.ParticipantAttributesChanged,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackSubscribed,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.ActiveSpeakersChanged,
  RoomEvent.ConnectionQualityChanged,
] as const;

type Panel = "chat" | "people";

export class Call implements Screen {
  readonly element: HTMLElement;
  private room: Room | null = null;
  private panel: Panel | null = null;
  private gathered = 0;
  private asking = 0;
  private ended = false;
  /** Sources that this person is turning on or off: what happens to others is somebody else's doing. */
  private readonly turning = new Set<Source>();
  private readonly tiles = new Tiles(() => this.gather());
  private readonly subscriptions = new Subscriptions();
  private readonly chat = new Chat((name, text) => this.news.add(name, text));
  private readonly news = new ChatNews((unread) => this.controls.chat.news(unread));
  private readonly people: People;
  private readonly sound = new Sound();
  private readonly unplugged = new Unplugged();
  private absence: Absence | null = null;
  private readonly moderation: Moderation;
  private readonly timeLeft: TimeLeft;
  private readonly heading = el("h1", {});
  private readonly trouble = el("div", { class: "banner", role: "status", hidden: true });
  private readonly panelTitle = el("h2", {});
  private readonly panelBody = el("div", { class: "panel-content" });
  private readonly side: HTMLElement;
  private readonly controls = {
    microphone: new Control("microphone", () => void this.turn("microphone")),
    camera: new Control("camera", () => void this.turn("camera")),
    screen: new Control("screen", () => void this.share()),
    chat: new Control("chat", () => this.toggle("chat")),
    people: new Control("people", () => this.toggle("people")),
    settings: new Control("settings", () => this.settings()),
    end: new Control("end", () => void this.moderation.end()),
    leave: new Control("leave", () => this.leave()),
  };

  constructor(
    private view: RoomView,
    private readonly gateway: Gateway,
    private readonly devices: Devices,
    private readonly parted: (how: Parting) => void,
  ) {
    this.moderation = new Moderation(gateway, () => this.view.role);
    this.people = new People(this.moderation, gateway);
    this.timeLeft = new TimeLeft(() => gateway.now());
    this.heading.dir = "auto";
    const closePanel = el("button", { type: "button", class: "plain", "aria-label": t("dialog.close"), click: () => this.shut() }, icon("close"));
    this.side = el("aside", { class: "panel", id: "panel", hidden: true, "aria-label": "" }, el("header", {}, this.panelTitle, closePanel), this.panelBody);
    this.side.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.shut();
    });
    const { controls } = this;
    controls.settings.set("settings", "call.settings");
    controls.leave.set("leave", "call.leave", "danger");
    controls.end.set("end", "call.end");
    for (const name of ["chat", "people"] as const) controls[name].element.setAttribute("aria-controls", "panel");
    const bar = Object.values(controls).map((control) => control.element);
    this.element = el(
      "div",
      { class: "call" },
      el("header", { class: "call-header" }, this.heading, this.timeLeft.element),
      el("div", { class: "banners" }, this.trouble, this.sound.prompt),
      el("div", { class: "call-body" }, this.tiles.element, this.side),
      el("div", { class: "controls", role: "group", "aria-label": t("call.controls") }, ...bar),
    );
    this.update(view);
  }

  /** Listens on a connection that is about to be made. */
  prepare(room: Room): void {
    for (const change of CHANGES) room.on(change, () => this.gather());
    this.sound.listen(room);
    this.subscriptions.listen(room);
    this.chat.listen(room);
    this.unplugged.listen(room);
    room.on(RoomEvent.ParticipantConnected, (participant) => this.comesOrGoes("call.personJoined", participant));
    room.on(RoomEvent.ParticipantDisconnected, (participant) => this.comesOrGoes("call.personLeft", participant));
    room.on(RoomEvent.ParticipantPermissionsChanged, (_, participant) => this.ask(participant));
    room.on(RoomEvent.ParticipantAttributesChanged, (_, participant) => this.ask(participant));
    room.on(RoomEvent.TrackMuted, (publication, participant) => {
      if (!participant.isLocal || publication.source !== Track.Source.Microphone || this.turning.has("microphone")) return;
      this.devices.wanted.microphone = false;
      if (!this.unplugged.has("microphone")) announce(t("call.mutedByPresenter"));
    });
    room.on(RoomEvent.Reconnecting, () => this.troubled(t("call.reconnecting")));
    room.on(RoomEvent.SignalReconnecting, () => this.troubled(t("call.reconnecting")));
    room.on(RoomEvent.Reconnected, () => {
      this.troubled("");
      announce(t("call.reconnected"));
      this.gather();
    });
    room.on(RoomEvent.Disconnected, (reason) => {
      if (this.room !== room) return;
      this.room = null;
      this.parted(parting(reason));
    });
  }

  /** The connection is made. */
  async connected(room: Room): Promise<void> {
    this.room = room;
    this.absence ??= new Absence(() => this.room?.state === ConnectionState.Connected, () => this.parted("away"));
    this.troubled("");
    announce(t("call.joined"), "unseen");
    this.sound.refresh();
    this.render();
    for (const source of ["microphone", "camera"] as const) {
      if (this.devices.wanted[source] && this.view.permissions[source]) await this.publish(source);
    }
  }

  /** Takes in what the gateway says now. */
  update(view: RoomView): void {
    const before = this.view;
    this.view = view;
    setText(this.heading, view.displayName || view.room);
    this.timeLeft.ends(Date.parse(view.validUntil));
    if (before.role !== view.role) {
      announce(t("call.roleChanged", { role: t(`role.${view.role}`), can: t(`role.${view.role}.can`) }));
    }
    this.withdraw(before.permissions, view.permissions);
    this.devices.limit(view.permissions);
    this.chat.allow(view.permissions.data);
    this.render();
  }

  /** The connection is lost, and on its way back. */
  returning(words: string): void {
    closeDialogs();
    this.troubled(words);
    this.render();
  }

  close(): void {
    this.ended = true;
    closeDialogs();
    clearTimeout(this.gathered);
    clearTimeout(this.asking);
    this.absence?.close();
    this.chat.close();
    this.news.close();
    this.timeLeft.close();
    this.tiles.close();
    const { room } = this;
    this.room = null;
    void room?.disconnect();
  }

  private leave(): void {
    const { room } = this;
    if (room) void room.disconnect();
    else this.parted("left");
  }

  private troubled(words: string): void {
    this.trouble.hidden = words === "";
    setText(this.trouble, words);
  }

  private comesOrGoes(key: "call.personJoined" | "call.personLeft", participant: Participant): void {
    if (this.room && this.room.remoteParticipants.size <= SMALL) announce(t(key, { name: calledOf(participant) }));
  }

  private async publish(source: Source): Promise<void> {
    const me = this.room?.localParticipant;
    if (!me) return;
    this.turning.add(source);
    try {
      const track = this.devices.take(source);
      if (track) await me.publishTrack(track);
      else if (source === "microphone") await me.setMicrophoneEnabled(true);
      else await me.setCameraEnabled(true);
      this.devices.wanted[source] = true;
    } catch (error) {
      this.devices.wanted[source] = false;
      if (!this.ended && this.room) announce(failureText(source, failureOf(error)), "urgent");
    } finally {
      this.turning.delete(source);
      this.gather();
    }
  }

  private async turn(source: Source): Promise<void> {
    const me = this.room?.localParticipant;
    if (!me || this.turning.has(source)) return;
    const on = source === "microphone" ? me.isMicrophoneEnabled : me.isCameraEnabled;
    if (!on) return this.publish(source);
    this.devices.wanted[source] = false;
    this.turning.add(source);
    try {
      await (source === "microphone" ? me.setMicrophoneEnabled(false) : me.setCameraEnabled(false));
    } finally {
      this.turning.delete(source);
      this.gather();
    }
  }

  private async share(): Promise<void> {
    const me = this.room?.localParticipant;
    if (!me) return;
    try {
      await me.setScreenShareEnabled(!me.isScreenShareEnabled, { audio: true });
    } catch (error) {
      // Whoever closes the browser's question knows that they did.
      if (!(error instanceof DOMException && error.name === "NotAllowedError")) announce(t("call.screenFailed"), "urgent");
    }
    this.gather();
  }

  /** Stops what the role does not have any more. */
  private withdraw(before: Permissions, now: Permissions): void {
    const me = this.room?.localParticipant;
    const withdrawn = [
      ["microphone", Track.Source.Microphone, "call.microphone.lost", before.microphone && !now.microphone],
      ["camera", Track.Source.Camera, "call.camera.lost", before.camera && !now.camera],
      ["screen", Track.Source.ScreenShare, "call.screen.lost", before.screenShare && !now.screenShare],
    ] as const;
    for (const [name, source, words, lost] of withdrawn) {
      if (!lost) continue;
      const wanted = name === "screen" ? (me?.isScreenShareEnabled ?? false) : this.devices.wanted[name];
      const track = me?.getTrackPublication(source)?.track;
      if (me && track) void me.unpublishTrack(track, true).catch(() => undefined);
      if (wanted) announce(t(words));
    }
  }

  /** Asks the gateway what a change of this person's role means. */
  private ask(participant: Participant): void {
    if (!participant.isLocal) return;
    clearTimeout(this.asking);
    const look = async (attempt: number): Promise<void> => {
      try {
        const view = await this.gateway.room();
        if (this.ended) return;
        this.update(view);
        if (view.role === participant.attributes[ROLE]) return;
      } catch {
        // Asked again below.
      }
      const pause = LOOKS[attempt + 1];
      if (pause !== undefined && !this.ended) this.asking = window.setTimeout(() => void look(attempt + 1), pause);
    };
    this.asking = window.setTimeout(() => void look(0), LOOKS[0]);
  }

  private toggle(panel: Panel): void {
    if (this.panel === panel) this.shut();
    else this.open(panel);
  }

  private open(panel: Panel): void {
    this.panel = panel;
    if (panel === "chat") this.news.seen();
    const title = t(panel === "chat" ? "chat.title" : "people.title");
    setText(this.panelTitle, title);
    this.side.setAttribute("aria-label", title);
    this.panelBody.replaceChildren(panel === "chat" ? this.chat.element : this.people.element);
    this.side.hidden = false;
    this.render();
    this.chat.show(panel === "chat");
    if (panel === "chat") this.chat.focus();
    else {
      this.panelTitle.tabIndex = -1;
      this.panelTitle.focus();
    }
  }

  private shut(): void {
    const { panel } = this;
    this.panel = null;
    this.side.hidden = true;
    this.chat.show(false);
    this.render();
    if (panel) this.controls[panel].element.focus();
  }

  private settings(): void {
    const { microphone, camera } = this.view.permissions;
    const offered: Device[] = [...(camera ? (["camera"] as const) : []), ...(microphone ? (["microphone"] as const) : []), "speaker"];
    const pickers = new Pickers(
      offered,
      (device) => this.room?.getActiveDevice(KINDS[device]) ?? this.devices.chosen[device],
      (device, id) => {
        this.devices.chosen[device] = id;
        void this.room?.switchActiveDevice(KINDS[device], id).catch((error: unknown) => {
          if (device !== "speaker") announce(failureText(device, failureOf(error)), "urgent");
        });
      },
    );
    const { room } = this;
    const connection = (close: () => void) => {
      const show = () => {
        close();
        if (room) showConnection(room);
      };
      return el("div", { class: "choices" }, el("button", { type: "button", click: show }, t("connection.show")));
    };
    openDialog(t("devices.title"), (close) => [pickers.element, ...(room ? [connection(close)] : [])], () => pickers.close());
  }

  private gather(): void {
    if (this.gathered !== 0) return;
    this.gathered = window.setTimeout(() => {
      this.gathered = 0;
      if (!this.ended) this.render();
    }, GATHER);
  }

  private render(): void {
    const { controls, room } = this;
    const { permissions } = this.view;
    const me = room?.localParticipant;
    const present: Participant[] = room ? [...room.remoteParticipants.values(), room.localParticipant] : [];
    const inSight = this.tiles.update(present);
    if (room) this.subscriptions.see(room, inSight);
    if (this.panel === "people") this.people.update(present, permissions);
    const speaks = me?.isMicrophoneEnabled ?? false;
    const seen = me?.isCameraEnabled ?? false;
    const shares = me?.isScreenShareEnabled ?? false;
    controls.microphone.set(speaks ? "microphone" : "microphoneOff", speaks ? "call.mute" : "call.unmute", speaks ? "" : "off");
    controls.camera.set(seen ? "camera" : "cameraOff", seen ? "call.stopCamera" : "call.startCamera", seen ? "" : "off");
    controls.screen.set("screen", shares ? "call.stopScreen" : "call.startScreen", shares ? "on" : "");
    controls.chat.set("chat", "call.chat", this.panel === "chat" ? "on" : "");
    controls.people.set("people", "call.peopleButton", this.panel === "people" ? "on" : "");
    controls.chat.element.setAttribute("aria-expanded", String(this.panel === "chat"));
    controls.people.element.setAttribute("aria-expanded", String(this.panel === "people"));
    const share = permissions.screenShare && "getDisplayMedia" in (navigator.mediaDevices ?? {});
    const offered = { microphone: permissions.microphone, camera: permissions.camera, screen: share, end: permissions.moderate };
    for (const [name, shown] of Object.entries(offered) as [keyof typeof offered, boolean][]) {
      const { element } = controls[name];
      if (element.hidden === !shown) continue;
      // Who has the focus on a button that goes finds it on the next one.
      if (!shown && element === document.activeElement) controls.leave.element.focus();
      element.hidden = !shown;
    }
    this.element.dataset["connection"] = room ? "in" : "returning";
  }
}
