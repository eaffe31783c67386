// The pictures of everybody, as large as they all can be.

import { ConnectionQuality, type Participant, Track, type VideoTrack } from "livekit-client";
import { el, newId, setText, theirs } from "./dom";
import { icon } from "./icons";
import { count, t } from "./messages";

/** With more people than this, those who are not seen or heard have no tile of their own. */
const MOST = 48;
/** The smallest width of a tile, in pixels; with more people than fit, the tiles scroll. */
const NARROWEST = 150;
/** The form of a tile. */
const FORM = 16 / 10;
const GAP = 8;

/** The name that others read. */
export function nameOf(participant: Participant): string {
  return participant.name || participant.identity;
}

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
      setText(this.name, participant.isLocal ? t("call.ownScreen") : t("call.screenOf", { name }));
      return;
    }
    this.name.replaceChildren(participant.isLocal ? t("call.you", { name }) : theirs(name));
    setText(this.initials, initialsOf(name));
    this.initials.style.setProperty("--hue", String(hueOf(participant.identity)));
    const marks: HTMLElement[] = [];
    const mark = (kind: string, label: string, ...content: Node[]) =>
      marks.push(el("span", { class: `mark ${kind}`, role: "img", "aria-label": label, title: label }, ...content));
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
  readonly element = el("div", { class: "stage" }, this.list, this.alone);
  private readonly tiles = new Map<string, Tile>();
  private readonly more: HTMLElement;
  private readonly moreText = el("span");
  private readonly sizes = new ResizeObserver(() => this.lay());

  constructor(showPeople: () => void) {
    this.more = el("li", { class: "tile more" }, el("button", { type: "button", class: "plain", click: showPeople }, this.moreText));
    this.sizes.observe(this.element);
  }

  /** Shows these people, this person among them. */
  update(participants: readonly Participant[]): void {
    const ranked = [...participants].sort((a, b) => rank(a) - rank(b));
    const seen = ranked.length > MOST ? ranked.slice(0, MOST - 1) : ranked;
    const wanted = new Set<string>();
    for (const participant of participants) {
      if (participant.getTrackPublication(Track.Source.ScreenShare)) this.want(wanted, participant, Track.Source.ScreenShare);
    }
    for (const participant of seen) this.want(wanted, participant, Track.Source.Camera);
    for (const [key, tile] of this.tiles) {
      if (wanted.has(key)) continue;
      tile.close();
      this.tiles.delete(key);
    }
    let position = 0;
    for (const key of wanted) this.place(this.tiles.get(key)!.element, position++);
    const hidden = participants.length - seen.length;
    if (hidden > 0) {
      setText(this.moreText, count("tiles.more", hidden));
      this.place(this.more, position);
    } else this.more.remove();
    this.alone.hidden = participants.length > 1;
    this.lay();
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
    const { clientWidth: width, clientHeight: height } = this.element;
    const screens = [...this.tiles.values()].filter((tile) => tile.isScreen).length;
    const people = this.list.childElementCount - screens;
    const free = screens > 0 ? height * 0.3 : height;
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

/** Who is seen first: whoever has a camera on, whoever has spoken last, and whoever has a microphone. */
function rank(participant: Participant): number {
  const spoke = participant.lastSpokeAt?.getTime() ?? 0;
  return (participant.isCameraEnabled ? -4e15 : 0) + (participant.isMicrophoneEnabled ? -2e15 : 0) + (participant.isLocal ? 1e15 : 0) - (participant.isCameraEnabled ? 0 : spoke);
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
