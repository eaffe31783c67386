// What the browser tests share: people in browser contexts of their own, and what is checked of every page.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import path from "node:path";
import { after } from "node:test";
import { chromium } from "playwright-core";
import { PATIENCE, eventually } from "./eventually.mjs";

export { eventually } from "./eventually.mjs";
export { makeRoom } from "./kubernetes.mjs";

const { GATEWAY_URL, LIVEKIT_URL, CHROMIUM, CONTROLS, SCREENSHOTS } = process.env;
assert(GATEWAY_URL && CHROMIUM, "these tests are run by `cargo test --test servers page::`, which brings up what they need");
export const gateway = GATEWAY_URL;
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

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
/** A camera with few pictures in a second: most of what these tests cost is encoding and painting them. */
const CAMERA = "--use-fake-device-for-media-stream=fps=5";
/** Devices that are there and allowed, as most people have them. */
const DEVICES = ["--use-fake-ui-for-media-stream", CAMERA, "--auto-select-desktop-capture-source=Entire screen"];

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
export const DENIED = ["--deny-permission-prompts", CAMERA];

export const inSeconds = (seconds) => new Date(Math.ceil(Date.now() / 1000) * 1000 + seconds * 1000).toISOString().replace(".000Z", "Z");

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
      if (video.hidden) return false;
      const painted = () => new Promise((resolve) => video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime)));
      const never = new Promise((resolve) => setTimeout(() => resolve(false), 1000));
      const moves = async () => (await painted()) < (await painted());
      return Promise.race([moves(), never]);
    }),
  );
}

/** Above this, from 0 to 1, somebody is heard. */
export const AUDIBLE = 0.01;

/** How loud the loudest voice of the others is, from 0 to 1: for a second and a half, or until somebody is heard. */
export async function loudness(page) {
  return page.evaluate(async (audible) => {
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
    for (let look = 0; look < 30 && loudest <= audible; look += 1) {
      for (const analyser of analysers) {
        analyser.getFloatTimeDomainData(samples);
        loudest = Math.max(loudest, ...samples.map(Math.abs));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await context.close();
    return loudest;
  }, AUDIBLE);
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
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"] }),
  );
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary}`).join("\n")}`);
  assert.deepEqual(found, [], name);
}

/** The same in light and dark colours, each in a wide and in a narrow window. */
export async function accessibleInAllShapes(page, name) {
  for (const [width, viewport] of [["wide", WIDE], ["320", NARROW]]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await accessible(page, `${name}-${colorScheme}-${width}`);
    }
  }
}
