import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { accessible, fits, screenshot } from "./lib/accessibility.mjs";
import { NEXT_YEAR } from "./lib/eventually.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { NARROW, inCall, join, person } from "./lib/people.mjs";
import { test } from "./lib/tests.mjs";

const folder = new URL("../src/messages/", import.meta.url);
const languages = Object.fromEntries(readdirSync(folder).map((file) => [file.replace(".json", ""), JSON.parse(readFileSync(new URL(file, folder), "utf8"))]));
const places = (text) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

test("every language has the same messages with the same places", () => {
  assert(Object.keys(languages).length >= 2);
  for (const [language, messages] of Object.entries(languages)) {
    assert.deepEqual(Object.keys(messages).sort(), Object.keys(languages.en).sort(), language);
    for (const [key, text] of Object.entries(messages)) {
      assert(text.trim() !== "", `${language}: ${key} is empty`);
      assert.deepEqual(new Set(places(text)), new Set(places(languages.en[key])), `${language}: ${key}`);
    }
  }
});

test("every message is used", () => {
  const source = new URL("../src/", import.meta.url);
  const code = readdirSync(source).filter((file) => file.endsWith(".ts")).map((file) => readFileSync(new URL(file, source), "utf8")).join("\n");
  // Keys that the code puts together, such as `role.${role}.can`.
  const made = [...code.matchAll(/`([a-z]+(?:\.[\w${}. ?":]*)?)`/gi)].map(([, template]) => template).filter((template) => template.includes("${"));
  const patterns = made.map((template) => new RegExp(`^${template.replace(/[.]/g, "\\.").replace(/\$\{[^}]*\}/g, ".+")}$`));
  const stems = ["people.count", "chat.unread"];
  const unused = Object.keys(languages.en).filter((key) => !code.includes(`"${key}"`) && !patterns.some((pattern) => pattern.test(key)) && !stems.some((stem) => key.startsWith(`${stem}.`)));
  assert.deepEqual(unused, []);
});

const people = [
  { name: "ada", displayName: "Ada Lovelace", role: "Presenter" },
  { name: "noor", displayName: "نور الهدى", role: "Attendee" },
];

test("whoever reads German gets German", async (t) => {
  const room = await makeRoom({ displayName: "Quartalsgespräch", validFrom: `${NEXT_YEAR}-01-15T09:00:00Z`, duration: "90m", participants: people });
  const page = await person(t, room.link("ada"), { locale: "de-AT" });
  await page.getByText("Hallo Ada Lovelace").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
  assert.match(await page.locator("main").innerText(), new RegExp(`15\\. J[äa]nne?u?a?r? ${NEXT_YEAR}.*10:00`, "s"));
  await accessible(page, "lobby-german");
});

test("whoever reads a language that there is no file for gets English", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ada"), { locale: "fi-FI" });
  await page.getByText("Hello Ada Lovelace").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
});

for (const viewport of [undefined, NARROW]) {
  test(`the page can be read from right to left${viewport ? " in a narrow window" : ""}`, async (t) => {
    const room = await makeRoom({ displayName: "اجتماع الربع", participants: people });
    const page = await person(t, room.link("noor"), viewport ? { viewport } : {});
    await page.getByText("نور الهدى").waitFor();
    await page.evaluate(() => (document.documentElement.dir = "rtl"));
    await fits(page);
    if (!viewport) {
      const about = await page.locator(".about").boundingBox();
      const preview = await page.locator(".preview").boundingBox();
      assert(about.x > preview.x, "what comes first is on the right");
    }
    await screenshot(page, viewport ? "lobby-rtl-narrow" : "lobby-rtl");
    await join(page);
    await inCall(page);
    await page.getByRole("button", { name: "Chat" }).click();
    await fits(page);
    await screenshot(page, viewport ? "call-rtl-narrow" : "call-rtl");
  });
}
