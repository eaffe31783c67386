// Which tests run in which browser. All of them run in Chromium.

import { test as everywhere } from "node:test";
import { BROWSER, CHROMIUM } from "./browsers.mjs";

const inFirefox = BROWSER !== CHROMIUM;

/** A test of what is much the same in every browser: in Firefox `make soak` runs it, and not `make test`. */
export function test(title, run) {
  everywhere(title, { skip: inFirefox && !process.env.ROOMKEEPER_SOAK && "in Firefox by make soak" }, run);
}

/** A test of what browsers differ in: devices, sound and pictures, connections, focus. `make test` runs it in Firefox, too. */
export { everywhere as testEverywhere };

/** A test that Firefox cannot be put through, and why. */
export function testInChromium(why, title, run) {
  everywhere(title, { skip: inFirefox && `in Chromium alone: ${why}` }, run);
}
