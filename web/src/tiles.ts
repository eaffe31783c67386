// The pictures of everybody, as large as they all can be.

import { ConnectionQuality, type Participant, Track, type VideoTrack } from "livekit-client";
import { el, newId, setText, theirs } from "./dom";
import { type Icon, icon } from "./icons";
import { type Key, t } from "./messages";
import { calledOf, nameOf, originOf } from "./names";
import { type Seen, arrange, capacity } from "./order";

/** With more people than fit in tiles of this width, in pixels, there are several pages. */
const READABLE = 180;
/** The smallest width of a tile; where fewer fit, they scroll. */
const NARROWEST = 140;
/** The part of the height that people have while somebody shares a screen. */
const BESIDE_SCREENS = 0.3;
/** The form of a tile. */
const FORM = 16 / 10;
const GAP = 8;

class Tile {
  private readonly video = el("video", { autoplay: true, playsinline: true });
  private readonly initials = el("span", { class: "initials", "aria-hidden": "true" });
  private readonly name = el("span", { class: "tile-name", id: newId("tile") });
  private readonly marks = el("span", { class: "marks" });
  readonly element = el("li", { class: "tile" }, this.initials, this.video, el("div", { class: "caption" }, this.name, this.marks));
  private track: VideoTrack | undefined;
  private shown = "";

  constructor(
    readonly participant: Participant,
    private readonly source: Track.Source.Camera | Track.Source.ScreenShare,
  ) {
    this.video.muted = true;
    this.video.setAttribute("aria-labelledby", this.name.id);
    this.element.dataset["identity"] = participant.identity;
    this.element.classList.toggle("screen", this.isScreen);
    this.element.classList.toggle("own", participant.isLocal && !this.isScreen);
  }

  get isScreen(): boolean {
    return this.source === Track.Source.ScreenShare;
  }

  update(): void {
    const { participant } = this;
    const publication = participant.getTrackPublication(this.source);
    const track = publication && !publication.isMuted ? publication.videoTrack : undefined;
    if (track !== this.track) {
      this.track?.detach(this.video);
      track?.attach(this.video);
      this.video.muted = true;
      this.track = track;
    }
    this.video.hidden = !track;
    this.element.classList.toggle("seen", track !== undefined);
    this.element.classList.toggle("speaking", !this.isScreen && participant.isSpeaking);
    const microphone = participant.isMicrophoneEnabled;
    const poor = participant.connectionQuality === ConnectionQuality.Poor || participant.connectionQuality === ConnectionQuality.Lost;
    const name = nameOf(participant);
    const shown = JSON.stringify([name, microphone, participant.isSpeaking, poor]);
    if (shown === this.shown) return;
    this.shown = shown;
    if (this.isScreen) {
      setText(this.name, participant.isLocal ? t("call.ownScreen") : t("call.screenOf", { name: calledOf(participant) }));
      return;
    }
    this.name.replaceChildren(participant.isLocal ? t("call.you", { name }) : theirs(name));
    setText(this.initials, initialsOf(name));
    this.initials.style.setProperty("--hue", String(hueOf(participant.identity)));
    const marks: HTMLElement[] = [];
    const mark = (kind: string, label: string, ...content: Node[]) =>
      marks.push(el("span", { class: `mark ${kind}`, role: "img", "aria-label": label, title: label }, ...content));
    const origin = originOf(participant);
    if (origin) mark("origin", t(`origin.${origin}`), icon(origin));
    if (!microphone) mark("muted", t("call.microphoneOff"), icon("microphoneOff"));
    else if (participant.isSpeaking) mark("talks", t("call.speaking"), icon("sound"));
    if (poor) mark("poor", t("call.connectionPoor"), document.createTextNode("!"));
    this.marks.replaceChildren(...marks);
  }

  close(): void {
    this.track?.detach(this.video);
    this.element.remove();
  }
}

export class Tiles {
  private readonly list = el("ul", { class: "tiles", "aria-label": t("call.people") });
  private readonly alone = el("p", { class: "alone", role: "status", hidden: true }, t("call.alone"));
  private readonly area = el("div", { class: "area" }, this.list, this.alone);
  private readonly speaks = el("p", { class: "speaks" });
  private readonly number = el("p", { class: "page" });
  private readonly pager: HTMLElement;
  readonly element: HTMLElement;
  private readonly tiles = new Map<string, Tile>();
  private readonly sizes: ResizeObserver;
  private order: string[] = [];
  private page = 0;
  private pages = 1;

  /** `changed` is called when other people may have to be shown. */
  constructor(private readonly changed: () => void) {
    const button = (label: Key, picture: Icon, by: number) =>
      el("button", { type: "button", class: "plain", "aria-label": t(label), title: t(label), click: () => this.turn(by) }, icon(picture));
    this.pager = el(
      "nav",
      { class: "pager", hidden: true, "aria-label": t("tiles.pages") },
      button("tiles.previous", "previous", -1),
      this.number,
      button("tiles.next", "next", 1),
      this.speaks,
    );
    this.element = el("div", { class: "stage" }, this.area, this.pager);
    this.sizes = new ResizeObserver(() => {
      this.lay();
      this.changed();
    });
    this.sizes.observe(this.area);
  }

  /** Shows a page of these people, this person among them, and gives the identities of those on it. */
  update(participants: readonly Participant[]): ReadonlySet<string> {
    const screens = participants.filter((participant) => participant.getTrackPublication(Track.Source.ScreenShare));
    const { clientWidth: width, clientHeight: height } = this.area;
    const size = capacity(width, screens.length > 0 ? height * BESIDE_SCREENS : height, READABLE, FORM, GAP);
    this.order = arrange(this.order, participants.map(seen), size);
    this.pages = Math.max(1, Math.ceil(this.order.length / size));
    this.page = Math.min(this.page, this.pages - 1);
    const known = new Map(participants.map((participant) => [participant.identity, participant]));
    const inSight = new Set(this.order.slice(this.page * size, (this.page + 1) * size));
    const wanted = new Set<string>();
    for (const participant of screens) this.want(wanted, participant, Track.Source.ScreenShare);
    for (const identity of inSight) this.want(wanted, known.get(identity)!, Track.Source.Camera);
    for (const [key, tile] of this.tiles) {
      if (wanted.has(key)) continue;
      tile.close();
      this.tiles.delete(key);
    }
    let position = 0;
    for (const key of wanted) this.place(this.tiles.get(key)!.element, position++);
    this.pager.hidden = this.pages === 1;
    setText(this.number, t("tiles.page", { page: this.page + 1, pages: this.pages }));
    const speaker = participants.find((participant) => participant.isSpeaking && !inSight.has(participant.identity));
    setText(this.speaks, speaker ? t("tiles.speaks", { name: calledOf(speaker) }) : "");
    this.alone.hidden = participants.length > 1;
    this.lay();
    return inSight;
  }

  /** Turns the pages; after the last comes the first. */
  private turn(by: number): void {
    this.page = (this.page + by + this.pages) % this.pages;
    this.area.scrollTop = 0;
    this.changed();
  }

  close(): void {
    this.sizes.disconnect();
    for (const tile of this.tiles.values()) tile.close();
  }

  private want(wanted: Set<string>, participant: Participant, source: Track.Source.Camera | Track.Source.ScreenShare): void {
    const key = `${source}/${participant.identity}`;
    let tile = this.tiles.get(key);
    // Who has come back is another participant of the same name.
    if (tile && tile.participant !== participant) {
      tile.close();
      tile = undefined;
    }
    tile ??= new Tile(participant, source);
    this.tiles.set(key, tile);
    tile.update();
    wanted.add(key);
  }

  /** Moves an element only when it is not there already: moved videos stop. */
  private place(element: HTMLElement, position: number): void {
    const there = this.list.children[position];
    if (there !== element) this.list.insertBefore(element, there ?? null);
  }

  /** Chooses the number of columns with which the tiles are largest. */
  private lay(): void {
    const { clientWidth: width, clientHeight: height } = this.area;
    const screens = [...this.tiles.values()].filter((tile) => tile.isScreen).length;
    const people = this.list.childElementCount - screens;
    const free = screens > 0 ? height * BESIDE_SCREENS : height;
    let best = { columns: 1, size: 0 };
    for (let columns = 1; columns <= Math.max(1, people); columns += 1) {
      const size = Math.min((width - GAP * (columns - 1)) / columns, (free / Math.ceil(people / columns) - GAP) * FORM);
      if (size > best.size) best = { columns, size };
    }
    const size = Math.max(best.size, Math.min(width, NARROWEST));
    this.list.style.setProperty("--tile", `${Math.floor(size)}px`);
    this.list.style.setProperty("--screens", String(Math.max(1, screens)));
    this.list.style.setProperty("--free", `${Math.floor(screens > 0 ? height * 0.66 : height)}px`);
  }
}

function seen(participant: Participant): Seen {
  const { identity, isLocal, isCameraEnabled, isMicrophoneEnabled, isSpeaking, lastSpokeAt } = participant;
  return { identity, isLocal, hasCamera: isCameraEnabled, hasMicrophone: isMicrophoneEnabled, spoke: isSpeaking ? Date.now() : (lastSpokeAt?.getTime() ?? 0) };
}

function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0]!, words[words.length - 1]!] : words;
  return letters.map((word) => [...word][0] ?? "").join("").toLocaleUpperCase();
}

function hueOf(identity: string): number {
  let hash = 0;
  for (const letter of identity) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  return hash;
}
