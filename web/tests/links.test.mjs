import assert from "node:assert/strict";
import { accessible, screenshot } from "./lib/accessibility.mjs";
import { inSeconds } from "./lib/eventually.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { showsPicture } from "./lib/media.mjs";
import { NARROW, controlOf, inCall, join, person, tile } from "./lib/people.mjs";
import { test } from "./lib/tests.mjs";

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

test("whoever came by the link is told from the person whose name they took", async (t) => {
  const room = await makeRoom({ joinPolicy: "AnyoneWithLink", link: { role: "Attendee" }, participants: [{ name: "ada", displayName: "Ada", role: "Presenter" }] });
  const [ada, other] = [await person(t, room.link("ada")), await person(t, room.link(null))];
  await join(ada);
  for (const name of ["\u3164", "Ada\u2800", "\u200b"]) {
    await other.getByLabel("Your name").fill(name);
    await other.getByRole("button", { name: "Join now" }).click();
    await other.getByText("This name cannot be used").waitFor();
  }
  await other.getByLabel("Your name").fill("Ada");
  await join(other);
  await ada.getByText("Ada (by link) has joined").waitFor();
  const by = '.tile[data-identity^="link."]';
  await ada.locator(by).getByLabel("came by the shared link").waitFor();
  assert.equal(await tile(other, "ada").getByLabel("came by the shared link").count(), 0);
  await controlOf(ada, "people").click();
  await ada.locator(".person").filter({ hasText: "came by the shared link" }).getByRole("button", { name: "Remove Ada (by link)" }).waitFor();
  await screenshot(ada, "call-by-link");
  await controlOf(other, "chat").click();
  await other.getByLabel("Message").fill("I am the host");
  await other.keyboard.press("Enter");
  await ada.getByText("Message from Ada (by link): I am the host").waitFor();
});

test("whoever waits with a shared link is asked for a name before the call opens", async (t) => {
  const room = await makeRoom({ joinPolicy: "AnyoneWithLink", link: { role: "Attendee" }, validFrom: inSeconds(8), duration: "1h" });
  const page = await person(t, room.link(null));
  await page.getByRole("button", { name: "Join when it opens" }).click();
  await page.getByText("Please enter your name first").waitFor();
  await page.getByLabel("Your name").fill("Ada");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Stop waiting" }).waitFor();
  await inCall(page);
});

test("a visitor who reloads is the same person in the same place, and after a removal somebody new", async (t) => {
  const room = await makeRoom({
    joinPolicy: "AnyoneWithLink",
    link: { role: "Attendee" },
    maxParticipants: 2,
    participants: [{ name: "host", role: "Presenter" }],
  });
  const [host, visitor] = [await person(t, room.link("host")), await person(t, room.link(null))];
  await join(host);
  await visitor.getByLabel("Your name").fill("Ada");
  await join(visitor);
  await controlOf(host, "people").click();
  const identity = () => host.locator(".person").filter({ hasText: "Ada" }).getAttribute("data-identity");
  const before = await identity();
  await visitor.reload();
  assert.equal(await visitor.getByLabel("Your name").inputValue(), "Ada");
  await join(visitor);
  assert.equal(await identity(), before);
  await host.getByRole("button", { name: "Remove Ada" }).click();
  await host.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await visitor.getByRole("heading", { name: "A presenter removed you from the call" }).waitFor();
  await visitor.getByRole("button", { name: "Try again" }).click();
  await visitor.getByLabel("Your name").fill("Ada");
  await join(visitor);
  await host.locator(".person").filter({ hasText: "Ada" }).waitFor();
  assert.notEqual(await identity(), before);
});
