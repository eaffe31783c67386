import assert from "node:assert/strict";
import { test } from "node:test";
import { screenshot } from "./lib/accessibility.mjs";
import { eventually, inSeconds } from "./lib/eventually.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { showsPicture } from "./lib/media.mjs";
import { controlOf, inCall, join, person, tile } from "./lib/people.mjs";

const people = [
  { name: "ada", displayName: "Ada Lovelace", role: "Presenter" },
  { name: "ben", displayName: "Ben" },
];

const heading = (page, name) => page.getByRole("heading", { level: 1, name });

test("the end of the window ends the call, and there is nothing more to press", async (t) => {
  const ends = inSeconds(10);
  const room = await makeRoom({ validUntil: ends, participants: people });
  const page = await person(t, room.link("ben"));
  await join(page);
  await heading(page, "The call is over").waitFor();
  assert(Date.now() >= Date.parse(ends) - 50, "not before its end");
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "H1");
  assert.equal(await page.locator("main button").count(), 0);
  await screenshot(page, "ended-over");
});

test("a suspended call says so, and lets people in again when it is opened", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ben"));
  await join(page);
  await room.edit({ suspend: true });
  await heading(page, "The call is closed at the moment").waitFor();
  await screenshot(page, "ended-suspended");
  await room.edit({ suspend: false });
  await page.getByRole("button", { name: "Join now" }).click();
  await inCall(page);
});

test("somebody who is taken off the list learns that their invite is not valid any more", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ben"));
  await join(page);
  await room.edit({ participants: [people[0]] });
  await heading(page, "Your invite is not valid any more").waitFor();
  await screenshot(page, "ended-revoked");
});

test("whoever joins a second time is told in the first place, and does not come back there by themselves", async (t) => {
  const room = await makeRoom({ participants: people });
  const first = await person(t, room.link("ben"));
  await join(first);
  const second = await person(t, room.link("ben"));
  await join(second);
  await heading(first, "You joined from somewhere else").waitFor();
  await screenshot(first, "ended-elsewhere");
  await first.getByRole("button", { name: "Join here instead" }).click();
  await join(first);
  await heading(second, "You joined from somewhere else").waitFor();
});

test("whoever leaves can come back", async (t) => {
  const room = await makeRoom({ participants: people });
  const [ada, ben] = [await person(t, room.link("ada")), await person(t, room.link("ben"))];
  await join(ada);
  await join(ben);
  await ben.getByRole("button", { name: "Leave" }).click();
  await heading(ben, "You left the call").waitFor();
  await tile(ada, "ben").waitFor({ state: "detached" });
  await screenshot(ben, "ended-left");
  await ben.getByRole("button", { name: "Join again" }).click();
  await join(ben);
  await showsPicture(tile(ada, "ben"));
});

test("a deleted Room ends its call", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ben"));
  await join(page);
  await room.delete();
  await heading(page, "The call is over").waitFor();
});

test("a connection that breaks for a while comes back by itself", async (t) => {
  const room = await makeRoom({ participants: people });
  const [ada, ben] = [await person(t, room.link("ada")), await person(t, room.link("ben"))];
  await join(ada);
  await join(ben);
  await showsPicture(tile(ada, "ben"));
  await ben.context().setOffline(true);
  await ben.locator(".banner:visible").first().waitFor({ timeout: 60_000 });
  await ben.context().setOffline(false);
  await eventually("the banner goes", async () => (await ben.locator(".banner:visible").count()) === 0, 60_000);
  await inCall(ben);
  await controlOf(ben, "leave").click();
  await heading(ben, "You left the call").waitFor();
});
