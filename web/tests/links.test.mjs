import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible } from "./lib/accessibility.mjs";
import { inSeconds } from "./lib/eventually.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { showsPicture } from "./lib/media.mjs";
import { NARROW, inCall, join, person } from "./lib/people.mjs";

test("whoever comes by a shared link chooses a name, and is seen by it", async (t) => {
  const room = await makeRoom({ joinPolicy: "AnyoneWithLink", link: { role: "Attendee" } });
  const [first, second] = [await person(t, room.link(null)), await person(t, room.link(null), { viewport: NARROW })];
  await first.getByRole("button", { name: "Join now" }).click();
  await first.getByText("Please enter your name first").waitFor();
  assert.equal(await first.evaluate(() => document.activeElement?.tagName), "INPUT");
  await accessible(first, "lobby-link");
  await first.getByLabel("Your name").fill("Ada");
  await join(first);
  await accessible(second, "lobby-link-320");
  await second.getByLabel("Your name").fill("Ben");
  await join(second);
  await showsPicture(first.locator(".tile").filter({ hasText: "Ben" }));
  await showsPicture(second.locator(".tile").filter({ hasText: "Ada" }));
});

test("whoever waits with a shared link joins by themselves once there is a name", async (t) => {
  const room = await makeRoom({ joinPolicy: "AnyoneWithLink", link: { role: "Attendee" }, validFrom: inSeconds(8), duration: "1h" });
  const [named, nameless] = [await person(t, room.link(null)), await person(t, room.link(null))];
  await named.getByText("Enter your name, so that you can join by itself").waitFor();
  await named.getByLabel("Your name").fill("Ada");
  await inCall(named);
  await nameless.getByRole("button", { name: "Join now" }).waitFor();
});
