import assert from "node:assert/strict";
import { accessible, screenshot } from "./lib/accessibility.mjs";
import { eventually, inSeconds } from "./lib/eventually.mjs";
import { gateway } from "./lib/installation.mjs";
import { makeAzureClass, makeRoom } from "./lib/kubernetes.mjs";
import { countAsked, showsPicture } from "./lib/media.mjs";
import { controlOf, inCall, join, person, tile } from "./lib/people.mjs";
import { breakable } from "./lib/proxy.mjs";
import { test, testEverywhere } from "./lib/tests.mjs";

const people = [
  { name: "ada", displayName: "Ada Lovelace", role: "Presenter" },
  { name: "ben", displayName: "Ben" },
];

const heading = (page, name) => page.getByRole("heading", { level: 1, name });

testEverywhere("the end of the window ends the call, and there is nothing more to press", async (t) => {
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

testEverywhere("somebody who is taken off the list learns that their invite is not valid any more", async (t) => {
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

testEverywhere("whoever leaves can come back", async (t) => {
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

/** Lets a test put a page to sleep: its clock goes on while nothing else does. */
const sleeper = (page) =>
  page.addInitScript(() => {
    const now = Date.now.bind(Date);
    let slept = 0;
    Date.now = () => now() + slept;
    window.sleepFor = (milliseconds) => (slept += milliseconds);
  });

test("whoever was away for long is asked before they are seen and heard again", async (t) => {
  const room = await makeRoom({ participants: [...people, { name: "cara" }, { name: "dan" }] });
  const ada = await person(t, room.link("ada"));
  const network = await breakable(t);
  const [ben, cara] = [await person(t, room.link("ben"), { open: false }), await person(t, room.link("cara"), { open: false, at: network.at })];
  await join(ada);
  for (const [page, name, at] of [[ben, "ben", gateway], [cara, "cara", network.at]]) {
    await sleeper(page);
    await page.goto(room.link(name).replace(gateway, at));
    await join(page);
    await tile(ada, name).waitFor();
  }
  await ben.evaluate(() => window.sleepFor(4 * 60_000));
  await network.break(cara);
  await cara.locator(".banner:visible").first().waitFor();
  await inCall(ben);
  for (const page of [ben, cara]) {
    await page.evaluate(() => window.sleepFor(3600_000));
    await heading(page, "You were away for a while").waitFor();
  }
  await screenshot(ben, "ended-away");
  await network.mend(cara);
  await tile(ada, "ben").waitFor({ state: "detached" });
  await tile(ada, "cara").waitFor({ state: "detached" });
  await ben.getByRole("button", { name: "Join again" }).click();
  await join(ben);
});

test("whoever pressed the button long before the call opens, and was away since, is asked again", async (t) => {
  const room = await makeRoom({ validFrom: inSeconds(600), duration: "1h", participants: people });
  const page = await person(t, room.link("ben"), { open: false });
  await sleeper(page);
  await page.goto(room.link("ben"));
  await page.getByRole("button", { name: "Join when it opens" }).click();
  await page.getByRole("button", { name: "Stop waiting" }).waitFor();
  await page.evaluate(() => window.sleepFor(3600_000));
  await page.getByRole("button", { name: "Join when it opens" }).waitFor();
});

test("a network that lets no media through is named with what it does not let through, and tried no more", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ben"), { open: false });
  // As in a network that lets no media through, nothing that the media server says reaches the browser but by signalling.
  await page.addInitScript(() => {
    const { setRemoteDescription } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
      return setRemoteDescription.call(this, { type, sdp: sdp.replace(/a=ice-pwd:.*/g, `a=ice-pwd:${"x".repeat(32)}`) });
    };
  });
  await page.goto(room.link("ben"));
  let joins = 0;
  page.on("request", (request) => (joins += Number(request.url().endsWith("/v1/join"))));
  await page.getByRole("button", { name: "Join now" }).click();
  await heading(page, "Your network lets no sound and no pictures through").waitFor();
  assert.match(await page.locator("main").innerText(), /UDP \d+ \(127\.0\.0\.1\)/);
  await screenshot(page, "ended-media-blocked");
  assert.equal(joins, 2);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("button", { name: "Join now" }).waitFor();
});

testEverywhere("a connection that breaks for a while comes back by itself", async (t) => {
  const room = await makeRoom({ participants: people });
  const network = await breakable(t);
  const [ada, ben] = [await person(t, room.link("ada")), await person(t, room.link("ben").replace(gateway, network.at), { at: network.at })];
  await join(ada);
  await join(ben);
  await showsPicture(tile(ada, "ben"));
  await network.break(ben);
  await ben.locator(".banner:visible").first().waitFor({ timeout: 60_000 });
  await network.mend(ben);
  await eventually("the banner goes", async () => (await ben.locator(".banner:visible").count()) === 0, 60_000);
  await inCall(ben);
  await controlOf(ben, "leave").click();
  await heading(ben, "You left the call").waitFor();
});

test("a call that needs another application says so, and no device is asked for", async (t) => {
  const roomClassName = await makeAzureClass();
  // Not open yet, so that it needs no session on a server that there is not.
  const room = await makeRoom({ roomClassName, validFrom: inSeconds(3600), duration: "1h", participants: people });
  const page = await person(t, room.link("ben"), { open: false });
  await countAsked(page);
  await page.goto(room.link("ben"));
  await heading(page, "This call needs another application").waitFor();
  await page.getByText("Azure Communication Services").waitFor();
  assert.equal(await page.locator("main button, video").count(), 0);
  assert.equal(await page.evaluate(() => window.asked), 0);
  await accessible(page, "ended-client");
});
