// How a page looks, and whether everybody can use it.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { BROWSER, CHROMIUM } from "./browsers.mjs";
import { NARROW, WIDE } from "./people.mjs";

const { SCREENSHOTS } = process.env;
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Keeps a picture of a page. */
export async function screenshot(page, name) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ caret: "initial", path: path.join(SCREENSHOTS, `${name}${BROWSER === CHROMIUM ? "" : `-${BROWSER}`}.png`) });
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

const COLOURS = BROWSER === CHROMIUM ? ["light", "dark"] : ["light"];

/** The same in light and dark colours, each in a wide and in a narrow window. */
export async function accessibleInAllShapes(page, name) {
  if (BROWSER !== CHROMIUM) console.log(`in Chromium alone: ${name} in dark colours, which no driver of Firefox emulates`);
  for (const [width, viewport] of [["wide", WIDE], ["320", NARROW]]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of COLOURS) {
      await page.emulateMedia({ colorScheme });
      await accessible(page, `${name}-${colorScheme}-${width}`);
    }
  }
}
