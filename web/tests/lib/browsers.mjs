// The browsers that the page is tested in, and the devices that people have there.

import { after, before } from "node:test";
import { chromium, firefox } from "playwright-core";

export const CHROMIUM = "chromium";
const FIREFOX = "firefox";

/** The browser that people of these tests use where nothing else is said. */
export const BROWSER = process.env.PAGE_BROWSER;

/** Devices that are there and allowed, as most people have them. */
export const ALLOWED = "allowed";
export const ABSENT = "absent";
export const DENIED = "denied";

/** A camera with few pictures in a second: most of what these tests cost is encoding and painting them. */
const CAMERA = "--use-fake-device-for-media-stream=fps=5";

/** Where a test has a TURN server whose certificate nobody knows. */
const TRUSTING = process.env.TRUSTS_ANY_CERTIFICATE ? ["--ignore-certificate-errors"] : [];

const KINDS = {
  [CHROMIUM]: {
    launch: (args) =>
      chromium.launch({
        executablePath: process.env.CHROMIUM,
        headless: true,
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", ...TRUSTING, ...args],
      }),
    devices: {
      [ALLOWED]: ["--use-fake-ui-for-media-stream", CAMERA, "--auto-select-desktop-capture-source=Entire screen"],
      // No fake ones, on a machine that has none.
      [ABSENT]: ["--use-fake-ui-for-media-stream"],
      [DENIED]: ["--deny-permission-prompts", CAMERA],
    },
  },
  [FIREFOX]: {
    // By WebDriver BiDi, which every Firefox speaks; without the channel Playwright wants a Firefox of its own. From 1.65 on Playwright emulates
    // media features at every start, which Firefox ESR 153 does not know.
    launch: (preferences) =>
      firefox.launch({
        channel: "moz-firefox",
        executablePath: process.env.FIREFOX,
        headless: true,
        firefoxUserPrefs: {
          // The media server is on this machine, and names of `.local` are found by nobody here.
          "media.peerconnection.ice.loopback": true,
          "media.peerconnection.ice.obfuscate_host_addresses": false,
          // Without anything that plays sound no AudioContext would run, on a machine without a sound card.
          "media.cubeb.force_mock_context": true,
          // What Playwright emulates in Chromium, and WebDriver BiDi does not in Firefox.
          "ui.prefersReducedMotion": 1,
          ...preferences,
        },
      }),
    devices: {
      [ALLOWED]: { "media.navigator.streams.fake": true, "media.navigator.video.default_fps": 5, "media.navigator.permission.disabled": true },
      [ABSENT]: { "media.navigator.permission.disabled": true, "media.cubeb.force_mock_context": false },
      [DENIED]: { "media.navigator.streams.fake": true, "permissions.default.camera": 2, "permissions.default.microphone": 2 },
    },
  },
};

const running = new Map();
/** A browser with these devices, one for all tests of a file. */
export function browser(name = BROWSER, devices = ALLOWED) {
  const key = `${name} ${devices}`;
  if (!running.has(key)) running.set(key, KINDS[name].launch(KINDS[name].devices[devices]));
  return running.get(key);
}
// A start takes seconds, which no test has to count on.
before(() => browser());
after(async () => {
  for (const browser of running.values()) await (await browser).close();
});
