// People, each with a browser context of their own, and what is checked of every page.

import assert from "node:assert/strict";
import { browser } from "./browsers.mjs";
import { PATIENCE } from "./eventually.mjs";
import { gateway, livekit } from "./installation.mjs";

export const WIDE = { width: 1280, height: 800 };
export const NARROW = { width: 320, height: 640 };

/** What Firefox says beside uncaught errors, and is no fault of the page. */
const EXPECTED = [
  // A style of Playwright's own, for the moment of a screenshot.
  /sha256-YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT\+SmwNZWA=/,
  /can’t establish a connection to the server at wss?:/,
  /connection to wss?:.* was interrupted/,
  /^WebRTC: ICE failed/,
  // livekit-client goes on negotiating over a connection that was closed by leaving; the page itself only asks connections for reports.
  /^InvalidStateError: Peer connection is closed/,
  /^Loading module from .* was blocked because of a disallowed MIME type \(“”\)/,
];

/**
 * Somebody with a browser of their own. What must hold of every page is checked when the test ends: no request to anybody
 * else, the invite in no address, no cookie, nothing stored beside the invites, and no word of the browser about broken rules.
 * `at` is where the page is, if it is not at the gateway itself, `cookies` are those that somebody else may set there, and `leads` is where
 * answers may lead that the page does not follow: browsers tell of that as of a request.
 */
export async function person(test, link, { in: name, devices, viewport = WIDE, open = true, at = gateway, cookies = [], leads = [], ...context } = {}) {
  const visitor = await (await browser(name, devices)).newContext({ viewport, locale: "en-GB", timezoneId: "Europe/Berlin", reducedMotion: "reduce", ...context });
  const page = await visitor.newPage();
  page.setDefaultTimeout(PATIENCE);
  const invite = link.split("#")[1] ?? "";
  const requests = [];
  const faults = [];
  visitor.on("request", (request) => requests.push({ url: request.url(), referer: request.headers()["referer"] ?? "" }));
  page.on("websocket", (socket) => requests.push({ url: socket.url(), referer: "" }));
  page.on("pageerror", ({ stack }) => EXPECTED.some((words) => words.test(stack)) || faults.push(`uncaught: ${stack}`));
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
