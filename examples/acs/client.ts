// A minimal client for Rooms on Azure Communication Services: the gateway says who this is and where the call is, Microsoft's Calling SDK
// does the rest.

import { type Call, type CallAgent, CallClient, type DeviceManager, LocalVideoStream, type RemoteParticipant, type RemoteVideoStream, VideoStreamRenderer } from "@azure/communication-calling";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";

/** Answer of `GET /v1/room`, as far as it is used here. */
interface RoomView {
  displayName: string;
  kind: string;
  participant: { displayName: string } | null;
  permissions: { microphone: boolean; camera: boolean };
  state: "early" | "open" | "full" | "over" | "suspended";
  validFrom: string;
  serverTime: string;
}

/** Answer of `POST /v1/join`. */
interface Ticket {
  roomId: string;
  token: string;
  communicationUserId: string;
  expiresAt: string;
}

/** The gateway, below which this page is: /acs/ is beside /v1/. */
const GATEWAY = new URL("../", location.href);
const KEY = "roomkeeper.acs.invite";
/** What an invite can look like. */
const SHAPE = /^[A-Za-z0-9._-]{16,4096}$/;
/** How long an answer may take, in milliseconds. */
const PATIENCE = 15_000;

/** Problems of the gateway in words, */
const LASTING: Record<string, string> = {
  "invalid-invite": "This invite is not valid. Ask whoever invited you for a new link.",
  removed: "A presenter has removed you from this call.",
  "too-early": "This call is not open yet.",
  over: "This call is over.",
  suspended: "This call is suspended. Try again later.",
  full: "This call is full. Try again later.",
  "not-allowed": "Your role does not allow this.",
  replaced: "This call was set up anew. Join again.",
};
/** and those that may pass by themselves. */
const PASSING: Record<string, string> = {
  unavailable: "The call cannot be reached at the moment. Try again.",
  "too-many-requests": "Too many people ask at the moment. Try again in a while.",
  unreachable: "There is no answer. Is this machine online? Try again.",
};

class Problem extends Error {
  constructor(
    readonly kind: string,
    readonly retryAfter = 0,
  ) {
    super(LASTING[kind] ?? PASSING[kind] ?? `This did not work (${kind}). Try again.`);
  }
}

/** One stay in the call. */
interface Stay {
  agent: CallAgent;
  call: Call;
  credential: AzureCommunicationTokenCredential;
  devices: DeviceManager;
}

const element = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no ${id}`);
  return found;
};
const [joinButton, controls, people] = [element("join"), element("controls"), element("people")];
const [microphone, camera] = [element("microphone") as HTMLButtonElement, element("camera") as HTMLButtonElement];

const invite = takeInvite();
/** Made at the first use, because it fails without TLS. Nobody can have two agents at a time, but one client serves one after the other. */
let client: CallClient | null = null;
let stay: Stay | null = null;
let ownCamera: { stream: LocalVideoStream; close: () => void } | null = null;
/** The gateway's clock minus ours, in milliseconds. */
let skew = 0;

/** Takes the invite out of the address, so that it gets into no history and no screenshot; a reload finds it in this tab. */
function takeInvite(): string | null {
  const fragment = location.hash.slice(1);
  if (fragment === "") return sessionStorage.getItem(KEY);
  history.replaceState(null, "", location.pathname);
  if (!SHAPE.test(fragment)) return null;
  sessionStorage.setItem(KEY, fragment);
  return fragment;
}

function say(words: string): void {
  element("status").textContent = words;
}

/** Does something, and says what is wrong when it cannot be done. */
async function attempt(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

async function ask<T>(method: "GET" | "POST", path: string): Promise<T> {
  let answer: Response;
  let body: { type?: string };
  try {
    const headers = { Authorization: `Bearer ${invite}` };
    answer = await fetch(new URL(path, GATEWAY), { method, headers, cache: "no-store", redirect: "error", signal: AbortSignal.timeout(PATIENCE) });
    body = (await answer.json()) as { type?: string };
  } catch {
    throw new Problem("unreachable");
  }
  if (answer.ok) return body as T;
  const kind = body.type?.replace("urn:roomkeeper:problem:", "");
  throw new Problem(kind ?? "unreachable", Number(answer.headers.get("Retry-After")) || 0);
}

async function look(): Promise<RoomView> {
  const view = await ask<RoomView>("GET", "v1/room");
  skew = Date.parse(view.serverTime) - Date.now();
  document.title = view.displayName;
  element("title").textContent = view.displayName;
  if (view.kind !== "azureCommunicationServices") throw new Error("This call is not on Azure Communication Services. Open its link without /acs.");
  if (view.state === "early") throw new Error(`This call opens at ${new Date(view.validFrom).toLocaleString()}. Join then.`);
  if (view.state !== "open") throw new Problem(view.state);
  return view;
}

/** A token with its end, by the clock of this machine: the token itself may be encrypted, and the clock wrong. */
function accessToken({ token, expiresAt }: Ticket): { token: string; expiresOnTimestamp: number } {
  return { token, expiresOnTimestamp: Date.parse(expiresAt) - skew };
}

/** Another token for the same stay. The gateway gives none to whoever may not be in the call any more. */
async function refresh(first: Ticket, left: AbortSignal): Promise<{ token: string; expiresOnTimestamp: number }> {
  for (let pause = 2; ; pause = Math.min(2 * pause, 60)) {
    try {
      const ticket = await ask<Ticket>("POST", "v1/join");
      // A credential is that of one user for good.
      if (ticket.communicationUserId !== first.communicationUserId) throw new Problem("replaced");
      return accessToken(ticket);
    } catch (error) {
      // The SDK asks once, and the token is good for some minutes yet.
      if (left.aborted || !(error instanceof Problem && error.kind in PASSING)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(error.retryAfter, pause)));
    }
  }
}

async function join(): Promise<void> {
  joinButton.hidden = true;
  say("Joining …");
  const left = new AbortController();
  let credential: AzureCommunicationTokenCredential | null = null;
  let agent: CallAgent | null = null;
  try {
    const { permissions, participant } = await look();
    client ??= new CallClient();
    const ticket = await ask<Ticket>("POST", "v1/join");
    credential = new AzureCommunicationTokenCredential({
      token: accessToken(ticket),
      refreshProactively: true,
      tokenRefresher: () => refresh(ticket, left.signal),
    });
    agent = await client.createCallAgent(credential, { displayName: participant?.displayName ?? "" });
    const devices = await client.getDeviceManager();
    const isHeard = permissions.microphone && (await devices.askDevicePermission({ audio: true, video: false })).audio;
    const call = agent.join({ roomId: ticket.roomId }, { audioOptions: { muted: !isHeard } });
    stay = { agent, call, credential, devices };
    [microphone.hidden, camera.hidden] = [!permissions.microphone, !permissions.camera];
    follow(call, () => left.abort());
  } catch (error) {
    left.abort();
    credential?.dispose();
    await agent?.dispose();
    joinButton.hidden = false;
    throw error;
  }
}

/** Shows what happens in a call, until it is over. */
function follow(call: Call, left: () => void): void {
  const others = new Shown(showPerson);
  call.on("remoteParticipantsUpdated", (change) => others.change(change));
  others.change({ added: call.remoteParticipants, removed: [] });
  const muted = () => microphone.setAttribute("aria-pressed", String(!call.isMuted));
  call.on("isMutedChanged", muted);
  muted();
  const state = () => {
    controls.hidden = call.state !== "Connected";
    if (call.state === "Connected") say("You are in the call.");
    if (call.state !== "Disconnected") return;
    left();
    others.hideAll();
    void attempt(() => ended(call));
  };
  call.on("stateChanged", state);
  state();
}

/** Puts away what a call has left, and says why it is over. The service tells numbers; the gateway knows the reason. */
async function ended(call: Call): Promise<void> {
  hideOwnCamera();
  const { code, subCode = 0 } = call.callEndReason ?? { code: 0 };
  const over = stay;
  stay = null;
  over?.credential.dispose();
  await over?.agent.dispose();
  joinButton.hidden = false;
  // Who was put out has a subcode.
  if (code === 0 && subCode === 0) return say("You have left the call.");
  await look();
  say(`The call has ended for you (code ${code}, subcode ${subCode}). Join again, if it goes on.`);
}

/** What is on the page for each entry of a list of the SDK. */
class Shown<T> {
  private readonly entries = new Map<T, () => void>();

  /** `show` gives what takes an entry off the page. */
  constructor(private readonly show: (entry: T) => () => void) {}

  change({ added, removed }: { added: readonly T[]; removed: readonly T[] }): void {
    for (const entry of removed) this.hide(entry);
    // One that is in the list already may be told of as a new one.
    for (const entry of added) if (!this.entries.has(entry)) this.entries.set(entry, this.show(entry));
  }

  hideAll(): void {
    for (const entry of this.entries.keys()) this.hide(entry);
  }

  private hide(entry: T): void {
    this.entries.get(entry)?.();
    this.entries.delete(entry);
  }
}

/** Somebody in the call, with their camera and screen; gives what takes them away. */
function showPerson(person: RemoteParticipant): () => void {
  const caption = document.createElement("figcaption");
  const named = () => (caption.textContent = person.displayName || "Somebody without a name");
  const figure = document.createElement("figure");
  figure.append(caption);
  people.append(figure);
  const streams = new Shown((stream: RemoteVideoStream) => showStream(stream, figure));
  person.on("displayNameChanged", named);
  person.on("videoStreamsUpdated", (change) => streams.change(change));
  named();
  streams.change({ added: person.videoStreams, removed: [] });
  return () => {
    streams.hideAll();
    figure.remove();
  };
}

/** A stream, while there is one to see; gives what takes it away. */
function showStream(stream: RemoteVideoStream, figure: HTMLElement): () => void {
  let hide: (() => void) | null = null;
  const changed = () => {
    if (stream.isAvailable) hide ??= render(stream, figure);
    else {
      hide?.();
      hide = null;
    }
  };
  stream.on("isAvailableChanged", changed);
  changed();
  return () => {
    stream.off("isAvailableChanged", changed);
    hide?.();
  };
}

function render(stream: RemoteVideoStream | LocalVideoStream, into: HTMLElement, isMirrored = false): () => void {
  const frame = document.createElement("div");
  frame.className = "video";
  into.prepend(frame);
  const renderer = new VideoStreamRenderer(stream);
  // A stream may end before its first picture; then there is nothing to show.
  const hide = () => {
    renderer.dispose();
    frame.remove();
  };
  renderer.createView({ isMirrored, scalingMode: "Fit" }).then(({ target }) => frame.append(target), hide);
  return hide;
}

async function toggleCamera({ call, devices }: Stay): Promise<void> {
  if (ownCamera) {
    const { stream } = ownCamera;
    hideOwnCamera();
    return await call.stopVideo(stream);
  }
  const { video } = await devices.askDevicePermission({ audio: false, video: true });
  const [device] = video ? await devices.getCameras() : [];
  if (!device) throw new Error("There is no camera that this page may use.");
  const stream = new LocalVideoStream(device);
  await call.startVideo(stream);
  const figure = document.createElement("figure");
  figure.append(Object.assign(document.createElement("figcaption"), { textContent: "You" }));
  people.prepend(figure);
  const hide = render(stream, figure, true);
  ownCamera = {
    stream,
    close: () => {
      hide();
      figure.remove();
    },
  };
  camera.setAttribute("aria-pressed", "true");
}

function hideOwnCamera(): void {
  ownCamera?.close();
  ownCamera = null;
  camera.setAttribute("aria-pressed", "false");
}

async function toggleMicrophone({ call, devices }: Stay): Promise<void> {
  if (!call.isMuted) return await call.mute();
  const { audio } = await devices.askDevicePermission({ audio: true, video: false });
  if (!audio) throw new Error("There is no microphone that this page may use.");
  await call.unmute();
}

/** What a button does during a call. It does it once at a time. */
function button(of: HTMLElement, action: (stay: Stay) => Promise<void>): void {
  const element = of as HTMLButtonElement;
  element.addEventListener("click", () => {
    const present = stay;
    if (!present) return;
    element.disabled = true;
    void attempt(() => action(present)).finally(() => (element.disabled = false));
  });
}

button(microphone, toggleMicrophone);
button(camera, toggleCamera);
button(element("leave"), ({ call }) => call.hangUp());
joinButton.addEventListener("click", () => void attempt(join));
addEventListener("pagehide", () => void stay?.call.hangUp());
// Another link in the same tab is another stay.
addEventListener("hashchange", () => location.reload());

if (invite === null) {
  say("This page needs the link that you were sent: it ends with # and your invite.");
} else {
  joinButton.hidden = false;
  void attempt(async () => {
    const { participant } = await look();
    say(`Hello ${participant?.displayName ?? ""}. The call is open.`);
  });
}
