// The gateway's HTTP API. The invite goes into a header, and nowhere else.

import { type Visitor, recallVisitor, rememberVisitor } from "./visitor";

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

/** Answer of `GET /v1/room`. */
export interface RoomView {
  room: string;
  namespace: string;
  displayName: string;
  /** None for the shared link of a link room: whoever joins by it chooses a name. */
  participant: { name: string; displayName: string } | null;
  role: Role;
  permissions: Permissions;
  state: "early" | "open" | "full" | "over" | "suspended";
  validFrom: string;
  validUntil: string;
  serverTime: string;
}

/** Answer of `POST /v1/join`. */
export interface Ticket {
  url: string;
  token: string;
  /** By a shared link, the invite to come back with as the same person. */
  invite?: string;
  /** Under which the token can be sent as a subprotocol. */
  subprotocol?: string;
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

/** Why the gateway did not do what it was asked: the last part of the problem's type, or `unreachable` without any answer. */
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
    return !["invalid-invite", "too-early", "over", "suspended", "full", "not-allowed", "bad-request", "not-found"].includes(this.kind);
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
    const view = (await this.ask("GET", "/v1/room")) as RoomView;
    this.skew = Date.parse(view.serverTime) - (asked + Date.now()) / 2;
    return view;
  }

  async join(displayName: string | null): Promise<Ticket> {
    const ticket = (await this.ask("POST", "/v1/join", displayName === null ? undefined : { displayName })) as Ticket;
    if (ticket.invite !== undefined && displayName !== null) {
      this.visitor = { link: this.invite, invite: ticket.invite, displayName };
      rememberVisitor(this.visitor);
    }
    return ticket;
  }

  async mute(identity: string): Promise<void> {
    await this.ask("POST", `/v1/participants/${encodeURIComponent(identity)}/mute`);
  }

  async remove(identity: string): Promise<void> {
    await this.ask("POST", `/v1/participants/${encodeURIComponent(identity)}/remove`);
  }

  async end(): Promise<void> {
    await this.ask("POST", "/v1/end");
  }

  async addGuest(displayName: string, role: Role): Promise<Guest> {
    return (await this.ask("POST", "/v1/guests", { displayName, role })) as Guest;
  }

  async guests(): Promise<ListedGuest[]> {
    return ((await this.ask("GET", "/v1/guests")) as { guests: ListedGuest[] }).guests;
  }

  async withdrawGuest(name: string): Promise<void> {
    await this.ask("DELETE", `/v1/guests/${encodeURIComponent(name)}`);
  }

  private async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.visitor?.invite ?? this.invite}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(path, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: AbortSignal.timeout(PATIENCE),
      });
      text = await answer.text();
    } catch {
      throw new Problem("unreachable");
    }
    const json = parse(text);
    if (answer.ok) return json;
    const type = typeof json?.["type"] === "string" ? json["type"] : "";
    // What comes without a problem comes from something between us and the gateway, and may be gone in a moment.
    const kind = type.startsWith("urn:roomkeeper:problem:") ? type.slice("urn:roomkeeper:problem:".length) : "unreachable";
    throw new Problem(kind, Number(answer.headers.get("Retry-After")) || 0);
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
