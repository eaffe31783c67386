import assert from "node:assert/strict";
import { accessible, screenshot } from "./lib/accessibility.mjs";
import { ABSENT, DENIED } from "./lib/browsers.mjs";
import { NEXT_YEAR, eventually, inSeconds } from "./lib/eventually.mjs";
import { gateway } from "./lib/installation.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { countAsked } from "./lib/media.mjs";
import { controlOf, inCall, join, person, tile } from "./lib/people.mjs";
import { test, testEverywhere } from "./lib/tests.mjs";

const people = [
  { name: "ada", displayName: "Ada Lovelace", role: "Presenter" },
  { name: "ben", displayName: "Ben" },
  { name: "con", displayName: "Connie", role: "Consumer" },
];

test("the lobby says who, what and when, in the visitor's own time zone", async (t) => {
  const room = await makeRoom({ displayName: "Board meeting", validFrom: `${NEXT_YEAR}-01-15T09:00:00Z`, duration: "90m", participants: people });
  const page = await person(t, room.link("ada"));
  await page.getByRole("heading", { level: 1, name: "Board meeting" }).waitFor();
  const text = await page.locator("main").innerText();
  assert.match(text, /Hello Ada Lovelace/);
  assert.match(text, /You take part as Presenter/);
  const weekday = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"][new Date(Date.UTC(NEXT_YEAR, 0, 15)).getUTCDay()];
  assert.match(text, new RegExp(`${weekday},? 15 January ${NEXT_YEAR}`));
  assert.match(text, /10:00.*11:30.*CET/, "Berlin is an hour ahead");
  assert.match(await page.getByRole("timer").innerText(), /\d+ days/);
  assert.equal(await page.title(), "Board meeting · Roomkeeper");
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "H1");
});

test("the countdown follows the gateway's clock and not the visitor's", async (t) => {
  const room = await makeRoom({ validFrom: inSeconds(3600), duration: "1h", participants: people });
  const page = await person(t, room.link("ben"), { open: false });
  await page.addInitScript(() => {
    const now = Date.now;
    Date.now = () => now() + 50 * 60_000;
  });
  await page.goto(room.link("ben"));
  await eventually("about an hour is left", async () => /59 minutes|1 hour/.test(await page.getByRole("timer").innerText()));
});

test("whoever is early and presses the button is in the call when it opens, and whoever does nothing is not", async (t) => {
  const opens = inSeconds(10);
  const room = await makeRoom({ validFrom: opens, duration: "1h", participants: people });
  const [page, idle] = [await person(t, room.link("ben")), await person(t, room.link("ada"))];
  await page.locator(".lobby[data-state=early]").waitFor();
  assert.equal(await page.getByRole("button", { name: "Join now" }).count(), 0);
  await page.getByRole("button", { name: "Join when it opens" }).click();
  await page.getByText("You will join as soon as the call opens").waitFor();
  await page.getByRole("button", { name: "Stop waiting" }).click();
  await page.getByRole("button", { name: "Join when it opens" }).click();
  await screenshot(page, "waiting-wide");
  await inCall(page);
  assert(Date.now() >= Date.parse(opens) - 50, "not before it opens");
  assert(Date.now() < Date.parse(opens) + 10_000, "and soon after");
  await idle.locator(".lobby[data-state=open]").waitFor();
  assert.equal(await tile(page, "ada").count(), 0, "nothing is published without a gesture");
  await join(idle);
});

testEverywhere("the preview shows the camera and the level of the microphone, and has lists of devices", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ben"));
  await eventually("the camera's picture", () => page.locator(".picture video").evaluate((video) => video.videoWidth > 0));
  await eventually("a level", async () => Number(await page.getByRole("meter").getAttribute("aria-valuenow")) > 3);
  for (const label of ["Camera", "Microphone", "Speaker"]) {
    assert((await page.getByLabel(label, { exact: true }).locator("option").count()) > 0, label);
  }
  const camera = page.getByLabel("Camera", { exact: true });
  const other = await camera.locator("option").last().getAttribute("value");
  await camera.selectOption(other);
  await eventually("the other camera", () => page.locator(".picture video").evaluate((video, id) => video.srcObject?.getVideoTracks()[0].getSettings().deviceId === id, other));
});

testEverywhere("a connection can be checked before the call opens, and is no presence in it", async (t) => {
  const room = await makeRoom({ validFrom: `${NEXT_YEAR}-01-15T09:00:00Z`, duration: "1h", participants: people });
  const page = await person(t, room.link("con"));
  await page.locator(".lobby[data-state=early]").waitFor();
  await page.getByRole("button", { name: "Check my connection" }).click();
  const dialog = page.getByRole("dialog", { name: "Your connection" });
  await dialog.getByText("Sound and pictures get through.").waitFor();
  const found = await dialog.innerText();
  assert.match(found, /straight to the server, by UDP/);
  assert.match(found, /By UDP\s*gets through/);
  assert.match(found, /By TCP\s*(gets through|not tried, because another way is good)/);
  assert.match(found, /By a relay \(TURN\)\s*not offered by the server/);
  const details = await dialog.getByLabel("For whoever helps you").inputValue();
  assert.match(details, /check before the call, UDP works, TCP (works|untried), TURN unoffered\nmedia by UDP, to /);
  assert(!details.includes(room.link("con").split("#")[1]) && !details.includes("Connie"), details);
  await accessible(page, "connection-check");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.locator(".lobby[data-state=early]").waitFor();
});

test("what the lobby asks again and again changes neither lists nor the meter", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ben"), { open: false });
  await page.addInitScript(() => {
    // The Room is asked for at once instead of every ten seconds.
    const later = window.setTimeout;
    window.setTimeout = (action, delay, ...rest) => later(action, delay >= 8000 && delay <= 12_000 ? 100 : delay, ...rest);
    window.contexts = 0;
    window.AudioContext = class extends AudioContext {
      constructor(...options) {
        super(...options);
        window.contexts += 1;
      }
    };
  });
  await page.goto(room.link("ben"));
  await eventually("a level", async () => Number(await page.getByRole("meter").getAttribute("aria-valuenow")) > 3);
  const option = await page.getByLabel("Camera", { exact: true }).locator("option").first().elementHandle();
  const made = await page.evaluate(() => window.contexts);
  for (let answers = 0; answers < 5; answers += 1) await page.waitForResponse("**/v1/room");
  await eventually("a level", async () => Number(await page.getByRole("meter").getAttribute("aria-valuenow")) > 3);
  assert(await option.evaluate((element) => element.isConnected), "an open list stays open");
  assert.equal(await page.evaluate(() => window.contexts), made);
});

testEverywhere("a device that is unplugged is told, before the call and in it", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ben"), { open: false });
  await page.addInitScript(() => {
    if (!navigator.mediaDevices) return;
    // In Firefox listeners of tracks hear what a script dispatches only when they ask for it.
    const { addEventListener } = MediaStreamTrack.prototype;
    MediaStreamTrack.prototype.addEventListener = function (type, listener, options) {
      addEventListener.call(this, type, listener, options, true);
    };
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    const tracks = [];
    let others = true;
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      if (!others) throw new DOMException("there is none", "NotFoundError");
      const stream = await ask(constraints);
      tracks.push(...stream.getTracks());
      return stream;
    };
    window.unplug = (kind, last) => {
      others = !last;
      for (const track of tracks.filter((track) => track.kind === kind && track.readyState === "live")) {
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }
    };
  });
  await page.goto(room.link("ben"));
  await page.getByRole("button", { name: "Turn camera off" }).waitFor();
  await eventually("the camera's picture", () => page.locator(".picture video").evaluate((video) => video.videoWidth > 0));
  await page.evaluate(() => window.unplug("audio", false));
  await page.locator(".preview").getByText("The microphone was disconnected").waitFor();
  await screenshot(page, "lobby-devices-lost");
  await page.getByRole("button", { name: "Turn microphone on" }).click();
  await page.getByText("The microphone was disconnected").waitFor({ state: "hidden" });
  await join(page);
  await page.getByRole("button", { name: "Mute", exact: true }).waitFor();
  await page.evaluate(() => window.unplug("audio", false));
  await page.getByRole("alert").getByText("The microphone was disconnected").waitFor();
  await page.getByRole("alert").getByText("Your microphone is now: ").waitFor();
  await page.evaluate(() => window.unplug("audio", true));
  await page.getByRole("button", { name: "Unmute" }).waitFor();
  assert.equal(await page.getByText("A presenter has muted you").count(), 0);
  await page.evaluate(() => window.unplug("video", true));
  await page.getByRole("alert").getByText("The camera was disconnected").waitFor();
  await page.getByRole("button", { name: "Start camera" }).waitFor();
});

testEverywhere("one can join muted and without camera", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ben"));
  await page.getByRole("button", { name: "Turn microphone off" }).click();
  await page.getByRole("button", { name: "Turn camera off" }).click();
  await page.getByText("Your camera is off").waitFor();
  await join(page);
  await tile(page, "ben").getByLabel("microphone off").waitFor();
  await page.getByRole("button", { name: "Unmute" }).waitFor();
  await page.getByRole("button", { name: "Start camera" }).waitFor();
  await controlOf(page, "microphone").click();
  await page.getByRole("button", { name: "Mute", exact: true }).waitFor();
});

for (const [declare, what, devices, words] of [
  [testEverywhere, "denied", DENIED, /does not let this page use the microphone.*does not let this page use the camera/s],
  [test, "absent", ABSENT, /No microphone was found.*No camera was found/s],
]) {
  declare(`devices that are ${what} are explained, and joining works`, async (t) => {
    const room = await makeRoom({ participants: people });
    const page = await person(t, room.link("ben"), { devices });
    await eventually("an explanation", async () => words.test(await page.locator(".preview").innerText()));
    await screenshot(page, `lobby-devices-${what}`);
    await join(page);
    await page.getByRole("button", { name: "Unmute" }).click();
    await page.getByRole("alert").getByText(what === "denied" ? /does not let/ : /was found|cannot be used/).waitFor();
  });
}

test("a Consumer is asked for no device, and sees no button for one", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("con"), { open: false });
  await countAsked(page);
  await page.goto(room.link("con"));
  await page.getByText("Nobody sees or hears you").waitFor();
  assert.equal(await page.locator(".preview").isVisible(), false);
  await join(page);
  for (const name of ["microphone", "camera", "screen", "end"]) assert.equal(await controlOf(page, name).isVisible(), false, name);
  assert.equal(await page.evaluate(() => window.asked), 0);
});

test("a full call says so, and lets the visitor in when somebody leaves", async (t) => {
  const room = await makeRoom({ maxParticipants: 1, participants: people });
  const first = await person(t, room.link("ada"));
  await join(first);
  const page = await person(t, room.link("ben"));
  await page.getByText("The call is full").waitFor();
  await screenshot(page, "lobby-full");
  await room.edit({ maxParticipants: 2 });
  await page.getByRole("button", { name: "Wait for a place" }).click();
  await inCall(page);
});

test("an invite that is not valid is told from a link without one", async (t) => {
  const page = await person(t, `${gateway}/#v4.public.thisIsNoInviteThatAnybodyEverSigned`);
  await page.getByRole("heading", { name: "This invite is not valid" }).waitFor();
  await screenshot(page, "error-invalid");
  const other = await person(t, `${gateway}/`);
  await other.getByRole("heading", { name: "There is no invite in this link" }).waitFor();
  const old = await person(t, `${gateway}/#v4.public.whatNoGatewayEverUnderstands`, { open: false });
  await old.route("**/v1/room", (route) => route.fulfill({ status: 400, contentType: "application/problem+json", body: '{"type":"urn:roomkeeper:problem:bad-request"}' }));
  await old.goto(`${gateway}/#v4.public.whatNoGatewayEverUnderstands`);
  await old.getByRole("heading", { name: "The call does not accept this page" }).waitFor();
  await old.unrouteAll();
  await old.getByRole("button", { name: "Load the page again" }).click();
  await old.getByRole("heading", { name: "This invite is not valid" }).waitFor();
});

test("a gateway that cannot be reached is asked again by itself", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ben"), { open: false });
  let mood = "gone";
  let asked = 0;
  await page.route("**/v1/room", async (route) => {
    asked += 1;
    if (mood === "gone") await route.abort();
    else if (mood === "busy") await route.fulfill({ status: 429, headers: { "retry-after": "1" }, contentType: "application/problem+json", body: '{"type":"urn:roomkeeper:problem:too-many-requests"}' });
    else if (mood === "down") await route.fulfill({ status: 503, headers: { "retry-after": "1" }, contentType: "application/problem+json", body: '{"type":"urn:roomkeeper:problem:unavailable"}' });
    else await route.continue();
  });
  await page.goto(room.link("ben"));
  await page.getByRole("heading", { name: "The call cannot be reached" }).waitFor();
  await screenshot(page, "error-unreachable");
  mood = "busy";
  await page.getByText("Many people ask at the moment").waitFor();
  mood = "down";
  await page.getByText("It is tried again by itself. You do not").waitFor();
  const before = asked;
  await eventually("it asks again", () => asked > before);
  mood = "well";
  await page.getByRole("button", { name: "Join now" }).waitFor();
  mood = "down";
  await page.route("**/v1/join", (route) => (mood === "well" ? route.continue() : route.fulfill({ status: 503, contentType: "application/problem+json", body: '{"type":"urn:roomkeeper:problem:unavailable"}' })));
  await page.getByRole("button", { name: "Join now" }).click();
  await page.getByText("The call cannot be reached at the moment").waitFor();
  mood = "well";
  await inCall(page);
});

testEverywhere("everything works by keyboard alone", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ada"));
  await page.getByRole("button", { name: "Join now" }).waitFor();
  const reach = async (name) => {
    for (let presses = 0; presses < 25; presses += 1) {
      await page.keyboard.press("Tab");
      // Past the last control the focus is nowhere, which is the body.
      const found = await page.evaluate(() => {
        const at = document.activeElement;
        return at === document.body ? "" : at?.getAttribute("aria-label") || at?.textContent || "";
      });
      if (found.includes(name)) {
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.notEqual(outline, "none", `${name} shows that it has the focus`);
        return;
      }
    }
    assert.fail(`${name} cannot be reached`);
  };
  await reach("Join now");
  await page.keyboard.press("Enter");
  await inCall(page);
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "H1");
  await page.getByRole("button", { name: "Mute", exact: true }).waitFor();
  await reach("Mute");
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Unmute" }).waitFor();
  await reach("Chat");
  await page.keyboard.press("Enter");
  await page.keyboard.type("Hello by keyboard");
  await page.keyboard.press("Enter");
  await page.getByRole("log").getByText("Hello by keyboard").waitFor();
  await page.keyboard.press("Escape");
  assert.match(await page.evaluate(() => document.activeElement?.textContent ?? ""), /Chat/);
  await reach("End for all");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  assert.match(await page.evaluate(() => document.activeElement?.textContent ?? ""), /Cancel/);
  await page.keyboard.press("Escape");
  assert.match(await page.evaluate(() => document.activeElement?.textContent ?? ""), /End for all/);
  await reach("Leave");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "You left the call" }).waitFor();
});
