// The gateway's HTTP API. The invite goes into a header, and nowhere else.

import { type Visitor, recallVisitor, rememberVisitor } from "./visitor";

/** Where this page came from, which may have a path. What the page asks for, it asks for there, whatever name the gateway gives itself. */
const HOME = new URL(".", location.href);

export type Role = "Presenter" | "Collaborator" | "Attendee" | "Consumer";
export const ROLES: readonly Role[] = ["Presenter", "Collaborator", "Attendee", "Consumer"];

export interface Permissions {
  microphone: boolean;
  camera: boolean;
  screenShare: boolean;
  data: boolean;
  moderate: boolean;
  addPeople: boolean;
}

/** How the call's media are to be sent. */
export interface Media {
  videoCodec: "VP8" | "VP9" | "H264" | "AV1";
  /** Most lines of a camera's picture. */
  maxVideoHeight: number;
}

/** What a gateway of before this page would have said. */
export const USUAL: Media = { videoCodec: "VP8", maxVideoHeight: 720 };

/** Answer of `GET /v1/room`. */
export interface RoomView {
  room: string;
  namespace: string;
  displayName: string;
  /** What kind of media server holds the call. */
  kind: "liveKit" | "azureCommunicationServices";
  /** None for the shared link of a link room: whoever joins by it chooses a name. */
  participant: { name: string; displayName: string } | null;
  role: Role;
  permissions: Permissions;
  media: Media;
  state: "early" | "open" | "full" | "over" | "suspended";
  validFrom: string;
  validUntil: string;
  serverTime: string;
}

/** Answer of `POST /v1/connection-check`: what to connect to a media server with. */
export interface Way {
  url: string;
  /** Whether the media server's signalling goes through the gateway, or clients reach it themselves. */
  signalling: "Proxied" | "Direct";
  token: string;
  /** Under which the token can be sent as a subprotocol. */
  subprotocol?: string;
}

/** Answer of `POST /v1/join`. */
export interface Ticket extends Way {
  /** By a shared link, the invite to come back with as the same person. */
  invite?: string;
}

/** Answer of `POST /v1/guests`. */
export interface Guest {
  displayName: string;
  role: Role;
  url: string;
}

/** One of the guests in the answer of `GET /v1/guests`. */
export interface ListedGuest {
  name: string;
  displayName: string;
  role: Role;
  /** Not where somebody else than a Presenter made the guest. */
  canBeWithdrawn: boolean;
}

/** One of the people in the answer of `GET /v1/removals`. */
export interface ListedRemoval {
  identity: string;
  displayName: string;
  /** Not where somebody else than a Presenter keeps the person out. */
  canBeReadmitted: boolean;
}

/**
 * Why somebody does not get what they asked for: the last part of the gateway's problem type, `unreachable` without any answer, `login`
 * where something before the gateway wants to know first who asks, `media-blocked` where the network lets no media through.
 */
export class Problem extends Error {
  constructor(
    readonly kind: string,
    /** Seconds after which to ask again, if the gateway named any. */
    readonly retryAfter = 0,
  ) {
    super(kind);
  }

  /** Whether asking again later may help, without anybody changing anything. */
  get passes(): boolean {
    return !["invalid-invite", "removed", "too-early", "over", "suspended", "full", "not-allowed", "bad-request", "not-found", "login", "media-blocked"].includes(this.kind);
  }
}

/** How long an answer may take. The gateway itself gives up after ten seconds. */
const PATIENCE = 15_000;

export class Gateway {
  /** The gateway's clock minus ours, in milliseconds. */
  private skew = 0;
  /** Who this is, once they came by a shared link. */
  private visitor: Visitor | null;

  constructor(private readonly invite: string) {
    this.visitor = recallVisitor(invite);
  }

  /** The name that a visitor chose before. */
  get visitorName(): string {
    return this.visitor?.displayName ?? "";
  }

  /** Whether a problem was one of the visitor's own invite: then they are anybody with the link again. */
  endsVisit(problem: Problem): boolean {
    return (problem.kind === "invalid-invite" || problem.kind === "removed") && this.forgetVisitor();
  }

  /** From now on a visitor is anybody with the link; says whether they were somebody before. */
  forgetVisitor(): boolean {
    const { visitor } = this;
    this.visitor = null;
    if (visitor) rememberVisitor(null);
    return visitor !== null;
  }

  /** The present moment by the gateway's clock, because ours may be wrong. */
  now(): number {
    return Date.now() + this.skew;
  }

  async room(): Promise<RoomView> {
    const asked = Date.now();
    const view = (await this.ask("GET", "v1/room")) as RoomView;
    this.skew = Date.parse(view.serverTime) - (asked + Date.now()) / 2;
    return { ...view, media: view.media ?? USUAL };
  }

  async join(displayName: string | null): Promise<Ticket> {
    const ticket = (await this.ask("POST", "v1/join", displayName === null ? undefined : { displayName })) as Ticket;
    if (ticket.invite !== undefined && displayName !== null) {
      this.visitor = { link: this.invite, invite: ticket.invite, displayName };
      rememberVisitor(this.visitor);
    }
    return reachable(ticket);
  }

  /** What to check the connection with before the call. */
  async checkConnection(): Promise<Way> {
    return reachable((await this.ask("POST", "v1/connection-check")) as Way);
  }

  async mute(identity: string): Promise<void> {
    await this.ask("POST", `v1/participants/${encodeURIComponent(identity)}/mute`);
  }

  async remove(identity: string): Promise<void> {
    await this.ask("POST", `v1/participants/${encodeURIComponent(identity)}/remove`);
  }

  async end(): Promise<void> {
    await this.ask("POST", "v1/end");
  }

  async addGuest(displayName: string, role: Role): Promise<Guest> {
    return (await this.ask("POST", "v1/guests", { displayName, role })) as Guest;
  }

  async guests(): Promise<ListedGuest[]> {
    return ((await this.ask("GET", "v1/guests")) as { guests: ListedGuest[] }).guests;
  }

  async withdrawGuest(name: string): Promise<void> {
    await this.ask("DELETE", `v1/guests/${encodeURIComponent(name)}`);
  }

  async removals(): Promise<ListedRemoval[]> {
    return ((await this.ask("GET", "v1/removals")) as { removals: ListedRemoval[] }).removals;
  }

  async readmit(identity: string): Promise<void> {
    await this.ask("DELETE", `v1/removals/${encodeURIComponent(identity)}`);
  }

  private async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.visitor?.invite ?? this.invite}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(new URL(path, HOME), {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        cache: "no-store",
        // A proxy may ask for a login before anybody reaches the gateway, and leads whoever has none to it.
        credentials: "same-origin",
        redirect: "manual",
        signal: AbortSignal.timeout(PATIENCE),
      });
      text = await answer.text();
    } catch {
      throw new Problem("unreachable");
    }
    const json = parse(text);
    if (answer.ok && (json !== null || text === "")) return json;
    const type = typeof json?.["type"] === "string" ? json["type"] : "";
    const kind = type.startsWith(PROBLEM) ? type.slice(PROBLEM.length) : asksForLogin(answer) ? "login" : "unreachable";
    throw new Problem(kind, Number(answer.headers.get("Retry-After")) || 0);
  }
}

/** What goes through the gateway goes where this page came from. */
function reachable<T extends Way>(way: T): T {
  return way.signalling === "Proxied" ? { ...way, url: HOME.href.replace(/^http/, "ws") } : way;
}

const PROBLEM = "urn:roomkeeper:problem:";
/** Answers of proxies that want a login first; those of the gateway are problems. */
const LOGIN = [401, 403, 407, 511];

/** Whether an answer that is not the gateway's own asks for a login: by its status, by leading there, or by being the form itself. Others pass. */
function asksForLogin(answer: Response): boolean {
  return answer.type === "opaqueredirect" || answer.ok || LOGIN.includes(answer.status);
}

function parse(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
