// What the browser tests share: Rooms made with kubectl, people in contexts of their own, and what is checked of every page.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import path from "node:path";
import { after } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";

const { GATEWAY_URL, LIVEKIT_URL, KUBECTL, CHROMIUM, CONTROLS, SCREENSHOTS } = process.env;
assert(GATEWAY_URL && KUBECTL && CHROMIUM, "these tests are run by `cargo test --test servers page::`, which brings up what they need");
export const gateway = GATEWAY_URL;
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** How long something that happens by itself may take. Generous: it is only used up by failures. */
export const PATIENCE = 30_000;
export const WIDE = { width: 1280, height: 800 };
export const NARROW = { width: 320, height: 640 };

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Devices that are there and allowed, as most people have them. */
const DEVICES = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--auto-select-desktop-capture-source=Entire screen"];

const browsers = new Map();
/** The browser with these devices, one for all tests of a file. */
async function browser(devices = DEVICES) {
  const key = devices.join(" ");
  if (!browsers.has(key)) browsers.set(key, await chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...ARGUMENTS, ...devices] }));
  return browsers.get(key);
}
after(async () => {
  for (const browser of browsers.values()) await browser.close();
});

// No fake ones, on a machine that has none.
export const ABSENT = ["--use-fake-ui-for-media-stream"];
export const DENIED = ["--deny-permission-prompts", "--use-fake-device-for-media-stream"];

export function kubectl(args, input = "") {
  const { status, stdout, stderr } = spawnSync(KUBECTL, args, { input, encoding: "utf8" });
  assert.equal(status, 0, `kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Asks until `check` gives something, and says what it saw last when it never does. */
export async function eventually(what, check, patience = PATIENCE) {
  const until = Date.now() + patience;
  let last;
  for (;;) {
    try {
      const found = await check();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    assert(Date.now() < until, `not within ${patience} ms: ${what}; last seen: ${last?.message ?? last}`);
    await pause(50);
  }
}

/** The year of a 15 January that is to come. */
export const NEXT_YEAR = new Date().getUTCFullYear() + 1;

export const inSeconds = (seconds) => new Date(Math.ceil(Date.now() / 1000) * 1000 + seconds * 1000).toISOString().replace(".000Z", "Z");

let namespace;
let rooms = 0;
/** A Room with these people, once its invites are there. */
export async function makeRoom(spec) {
  if (!namespace) {
    const made = JSON.parse(kubectl(["create", "-f", "-", "-o", "json"], JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { generateName: "page-" } })));
    namespace = made.metadata.name;
  }
  rooms += 1;
  const room = new Room(`room-${rooms}`);
  room.apply({ displayName: "Quarterly review", ...spec });
  await eventually(`${room.name} has its invites`, () => room.object().status?.conditions?.find(({ type, status }) => type === "InvitesReady" && status === "True"));
  if (Date.parse(room.object().status.validFrom) <= Date.now()) await room.phase("Open");
  return room;
}

class Room {
  constructor(name) {
    this.name = name;
  }

  apply(spec) {
    kubectl(["apply", "-n", namespace, "-f", "-"], JSON.stringify({ apiVersion: "roomkeeper.io/v1alpha1", kind: "Room", metadata: { name: this.name }, spec }));
  }

  edit(spec) {
    kubectl(["patch", "mroom", this.name, "-n", namespace, "--type=merge", "-p", JSON.stringify({ spec })]);
  }

  delete() {
    kubectl(["delete", "mroom", this.name, "-n", namespace, "--wait=false"]);
  }

  object() {
    return JSON.parse(kubectl(["get", "mroom", this.name, "-n", namespace, "-o", "json"]));
  }

  async phase(phase) {
    await eventually(`${this.name} is ${phase}`, () => {
      const { status, metadata } = this.object();
      return status.phase === phase && status.observedGeneration === metadata.generation;
    });
  }

  /** The join link of a person, or the shared one. */
  link(participant) {
    const secret = participant === null ? `${this.name}-link` : `${this.name}-invite-${participant}`;
    const { data } = JSON.parse(kubectl(["get", "secret", secret, "-n", namespace, "-o", "json"]));
    return Buffer.from(data.url, "base64").toString();
  }
}

/** Has the process that runs the installation do something. */
export async function control(command) {
  const [host, port] = CONTROLS.split(":");
  const answer = await new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    let heard = "";
    socket.on("data", (data) => (heard += data)).on("end", () => resolve(heard.trim())).on("error", reject);
    socket.write(`${command}\n`);
  });
  assert.equal(answer, "done", command);
}

/**
 * Somebody with a browser of their own. What must hold of every page is checked when the test ends: no request to anybody
 * else, the invite in no address, no cookie, nothing stored beside the invite, and no word of the browser about broken rules.
 */
export async function person(test, link, { devices, viewport = WIDE, open = true, ...context } = {}) {
  const visitor = await (await browser(devices)).newContext({ viewport, locale: "en-GB", timezoneId: "Europe/Berlin", reducedMotion: "reduce", ...context });
  const page = await visitor.newPage();
  page.setDefaultTimeout(PATIENCE);
  const invite = link.split("#")[1] ?? "";
  const requests = [];
  const faults = [];
  visitor.on("request", (request) => requests.push({ url: request.url(), referer: request.headers()["referer"] ?? "" }));
  page.on("websocket", (socket) => requests.push({ url: socket.url(), referer: "" }));
  page.on("pageerror", (error) => faults.push(`uncaught: ${error.stack}`));
  page.on("console", (message) => {
    if (/Content.Security.Policy|Refused to|violates/i.test(message.text())) faults.push(message.text());
  });
  test.after(async () => {
    try {
      for (const { url, referer } of requests) {
        assert(isOurs(url), `a request to somebody else: ${url}`);
        assert(invite === "" || !(url + referer).includes(invite), `the invite is in an address: ${url}`);
      }
      assert.deepEqual(faults, []);
      assert.deepEqual(await visitor.cookies(), []);
      if (!page.isClosed() && page.url().startsWith(gateway)) {
        assert(invite === "" || !page.url().includes(invite), "the invite is in the address bar");
        const stored = await page.evaluate(async () => ({ local: { ...localStorage }, session: Object.keys(sessionStorage), databases: await indexedDB.databases() }));
        assert.deepEqual(stored.local, {});
        assert.deepEqual(stored.databases, []);
        assert(stored.session.every((key) => key === "roomkeeper.invite"), `stored: ${stored.session}`);
      }
    } finally {
      await visitor.close();
    }
  });
  if (open) await page.goto(link);
  return page;
}

/** The gateway, and the media server where clients connect to it themselves. */
function isOurs(url) {
  return [gateway, LIVEKIT_URL].some((ours) => new URL(ours).host === new URL(url).host);
}

/** Goes into the call from the lobby. */
export async function join(page) {
  await page.getByRole("button", { name: "Join now" }).click();
  await inCall(page);
}

export async function inCall(page) {
  await page.locator(".call[data-connection=in]").waitFor();
}

/** The tile of somebody. */
export const tile = (page, identity) => page.locator(`.tile:not(.screen)[data-identity="${identity}"]`);
export const controlOf = (page, name) => page.locator(`.controls [data-control=${name}]`);

/** Waits until a tile shows a moving picture. */
export async function showsPicture(locator) {
  await eventually("a picture that moves", () =>
    locator.locator("video").evaluate(async (video) => {
      if (video.hidden || video.videoWidth === 0) return false;
      const before = video.currentTime;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return video.currentTime > before;
    }),
  );
}

/** How loud the loudest voice of the others is, from 0 to 1. */
export async function loudness(page) {
  return page.evaluate(async () => {
    const tracks = [...document.querySelectorAll("audio")].flatMap((audio) => audio.srcObject?.getAudioTracks() ?? []);
    const context = new AudioContext();
    let loudest = 0;
    const analysers = tracks.map((track) => {
      const analyser = context.createAnalyser();
      context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      return analyser;
    });
    const samples = new Float32Array(2048);
    // The fake microphone beeps once in a second.
    for (let look = 0; look < 30; look += 1) {
      for (const analyser of analysers) {
        analyser.getFloatTimeDomainData(samples);
        loudest = Math.max(loudest, ...samples.map(Math.abs));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await context.close();
    return loudest;
  });
}

export async function screenshot(page, name) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
}

/** Nothing is wider than the window. */
export async function fits(page) {
  const { scroll, window } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, window: innerWidth }));
  assert(scroll <= window, `the page is ${scroll} pixels wide in a window of ${window}`);
}

/** Checks WCAG 2.2 AA with axe, and keeps a picture. */
export async function accessible(page, name) {
  await screenshot(page, name);
  await fits(page);
  // Through the debugger's world: the page's own rules forbid foreign scripts.
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary}`).join("\n")}`);
  assert.deepEqual(found, [], name);
}
