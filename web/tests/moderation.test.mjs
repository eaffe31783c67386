import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { accessible, screenshot } from "./lib/accessibility.mjs";
import { BROWSER, CHROMIUM } from "./lib/browsers.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { showsPicture } from "./lib/media.mjs";
import { controlOf, inCall, join, person, tile, visits } from "./lib/people.mjs";
import { testEverywhere } from "./lib/tests.mjs";

const people = [
  { name: "ada", displayName: "Ada Lovelace", role: "Presenter" },
  { name: "ben", displayName: "Ben" },
];

describe("in one call", () => {
  const visit = visits();
  let ada, ben;
  before(async () => {
    const room = await makeRoom({ participants: people });
    ada = await person(visit, room.link("ada"), BROWSER === CHROMIUM ? { permissions: ["clipboard-read", "clipboard-write"] } : {});
    ben = await person(visit, room.link("ben"));
    await join(ada);
    await join(ben);
    await showsPicture(tile(ada, "ben"));
    await controlOf(ada, "people").click();
  });
  after(visit.end);

  testEverywhere("only Presenters see the verbs", async () => {
    await controlOf(ben, "people").click();
    await ben.locator(".person").nth(1).waitFor();
    assert.equal(await ben.locator(".verbs button").count(), 0);
    assert.equal(await ben.getByRole("button", { name: "Add a person" }).isVisible(), false);
    assert.equal(await controlOf(ben, "end").isVisible(), false);
  });

  testEverywhere("a Presenter mutes somebody, who is told and can speak again", async () => {
    await ada.getByRole("button", { name: "Mute Ben" }).click();
    await ben.getByText("A presenter has muted you").waitFor();
    await ada.getByText("Ben is muted now").waitFor();
    await tile(ada, "ben").getByLabel("microphone off").waitFor();
    await ben.getByRole("button", { name: "Unmute" }).click();
    await tile(ada, "ben").getByLabel("microphone off").waitFor({ state: "detached" });
  });

  testEverywhere("a Presenter adds a person, who joins by the link that is shown", async (t) => {
    await ada.getByRole("button", { name: "Add a person" }).click();
    await ada.getByRole("button", { name: "Make the invite" }).click();
    await ada.getByRole("dialog").getByText("Please enter").waitFor();
    await ada.getByLabel("Name", { exact: true }).fill("Grace Hopper");
    await ada.getByLabel("Role").selectOption("Collaborator");
    await ada.getByRole("button", { name: "Make the invite" }).click();
    const link = ada.getByLabel("Join link for Grace Hopper");
    await link.waitFor();
    await screenshot(ada, "guest-link");
    await ada.getByRole("button", { name: "Copy link" }).click();
    await ada.getByText("The link is copied").waitFor();
    const url = await link.inputValue();
    // The page may not read the clipboard, so it is read as people do.
    await ada.evaluate(() => {
      const field = document.createElement("textarea");
      field.id = "pasted";
      document.querySelector("dialog[open]").append(field);
      field.focus();
    });
    await ada.keyboard.press("Control+V");
    assert.equal(await ada.locator("#pasted").inputValue(), url);
    const grace = await person(t, url);
    await grace.getByText("Hello Grace Hopper").waitFor();
    await join(grace);
    await inCall(grace);
    await ada.keyboard.press("Escape");
    await ada.locator(".person").getByText("Grace Hopper").waitFor();
  });

  testEverywhere("a Presenter sees who was added, and withdraws an invite", async (t) => {
    await ada.getByRole("button", { name: "Add a person" }).click();
    await ada.getByLabel("Name", { exact: true }).fill("Alan Turing");
    await ada.getByRole("button", { name: "Make the invite" }).click();
    const url = await ada.getByLabel("Join link for Alan Turing").inputValue();
    await ada.keyboard.press("Escape");
    await ada.getByRole("button", { name: "Added people" }).click();
    const added = ada.locator("[data-guest]").filter({ hasText: "Alan Turing" });
    await added.waitFor();
    await accessible(ada, "guests");
    await added.getByRole("button", { name: "Withdraw the invite of Alan Turing" }).click();
    await ada.getByRole("dialog", { name: "Withdraw the invite" }).getByRole("button", { name: "Withdraw" }).click();
    await added.waitFor({ state: "detached" });
    await ada.keyboard.press("Escape");
    const alan = await person(t, url);
    await alan.locator("[data-reason=invalid]").waitFor();
  });

  testEverywhere("a Presenter removes somebody, who learns it and stays out until a Presenter lets them in again", async () => {
    await ada.getByRole("button", { name: "Remove Ben" }).click();
    await ada.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    const removed = ben.getByRole("heading", { name: "A presenter removed you from the call" });
    await removed.waitFor();
    await screenshot(ben, "ended-removed");
    await tile(ada, "ben").waitFor({ state: "detached" });
    await ben.reload();
    await removed.waitFor();
    await ada.getByRole("button", { name: "Removed people" }).click();
    const entry = ada.locator("[data-removed=ben]");
    await entry.waitFor();
    await accessible(ada, "removals");
    await entry.getByRole("button", { name: "Let in again: Ben" }).click();
    await ada.getByText("Ben can join again").waitFor();
    await entry.waitFor({ state: "detached" });
    await ada.keyboard.press("Escape");
    await ben.getByRole("button", { name: "Try again" }).click();
    await join(ben);
  });

  testEverywhere("a Presenter ends the call for everybody, and everybody learns it", async () => {
    await controlOf(ada, "end").click();
    await ada.getByRole("dialog").getByRole("button", { name: "End for all" }).click();
    for (const page of [ada, ben]) await page.getByRole("heading", { name: "The call was ended for everybody" }).waitFor();
    await screenshot(ben, "ended-by-presenter");
    await ben.getByRole("button", { name: "Join again" }).click();
    await join(ben);
  });
});
