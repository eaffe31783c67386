// People, each with a browser context of their own, and what is checked of every page.

import assert from "node:assert/strict";
import { after } from "node:test";
import { chromium } from "playwright-core";
import { PATIENCE } from "./eventually.mjs";
import { gateway, livekit } from "./installation.mjs";

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
  if (!browsers.has(key)) browsers.set(key, await chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, args: [...ARGUMENTS, ...devices] }));
  return browsers.get(key);
}
after(async () => {
  for (const browser of browsers.values()) await browser.close();
});

// No fake ones, on a machine that has none.
export const ABSENT = ["--use-fake-ui-for-media-stream"];
export const DENIED = ["--deny-permission-prompts", CAMERA];

/**
 * Somebody with a browser of their own. What must hold of every page is checked when the test ends: no request to anybody
 * else, the invite in no address, no cookie, nothing stored beside the invites, and no word of the browser about broken rules.
 * `at` is where the page is, if it is not at the gateway itself, `cookies` are those that somebody else may set there, and `leads` is where
 * answers may lead that the page does not follow: browsers tell of that as of a request.
 */
export async function person(test, link, { devices, viewport = WIDE, open = true, at = gateway, cookies = [], leads = [], ...context } = {}) {
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
        assert(isOurs(url, at) || leads.includes(url), `a request to somebody else: ${url}`);
        assert(invite === "" || !(url + referer).includes(invite), `the invite is in an address: ${url}`);
      }
      assert.deepEqual(faults, []);
      assert.deepEqual((await visitor.cookies()).map(({ name }) => name), cookies);
      if (!page.isClosed() && page.url().startsWith(at)) {
        assert(invite === "" || !page.url().includes(invite), "the invite is in the address bar");
        const stored = await page.evaluate(async () => ({ local: { ...localStorage }, session: Object.keys(sessionStorage), databases: await indexedDB.databases() }));
        assert.deepEqual(stored.local, {});
        assert.deepEqual(stored.databases, []);
        assert(stored.session.every((key) => ["roomkeeper.invite", "roomkeeper.visitor"].includes(key)), `stored: ${stored.session}`);
      }
    } finally {
      await visitor.close();
    }
  });
  if (open) await page.goto(link);
  return page;
}

/** Takes the place of a test for people who stay from one test to the next: they leave, and are checked, at `end`. */
export function visits() {
  const ends = [];
  return {
    after: (end) => ends.push(end),
    end: async () => {
      for (const end of ends) await end();
    },
  };
}

/** Where the page is, and the media server where clients connect to it themselves. */
function isOurs(url, at) {
  return [at, livekit].some((ours) => new URL(ours).host === new URL(url).host);
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
