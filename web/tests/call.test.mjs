import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { accessible, screenshot } from "./lib/accessibility.mjs";
import { CHROMIUM } from "./lib/browsers.mjs";
import { eventually, inSeconds } from "./lib/eventually.mjs";
import { control, gateway, livekit, restartedClass } from "./lib/installation.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { AUDIBLE, loudness, showsPicture } from "./lib/media.mjs";
import { NARROW, controlOf, inCall, join, person, tile, visits } from "./lib/people.mjs";
import { test, testEverywhere } from "./lib/tests.mjs";

/** LiveKit's own client, for people who do what the page does not. */
const livekitClient = readFileSync(new URL("../node_modules/livekit-client/dist/livekit-client.umd.js", import.meta.url), "utf8");

const people = [
  { name: "ada", displayName: "Ada Lovelace", role: "Presenter" },
  { name: "ben", displayName: "Ben", role: "Attendee" },
  { name: "cara", displayName: "Cara", role: "Collaborator" },
  { name: "con", displayName: "Connie", role: "Consumer" },
];

describe("in one call", () => {
  const visit = visits();
  let room, ada, ben, con;
  before(async () => {
    room = await makeRoom({ participants: people });
    // Across browsers, where these tests are run in another one.
    ada = await person(visit, room.link("ada"), { in: CHROMIUM });
    await join(ada);
    await ada.getByText("Nobody else is here yet").waitFor();
    ben = await person(visit, room.link("ben"));
    await join(ben);
    con = await person(visit, room.link("con"));
    await join(con);
  });
  after(visit.end);

  testEverywhere("two people see and hear each other, and a Consumer both", async () => {
    await showsPicture(tile(ada, "ben"));
    await showsPicture(tile(ben, "ada"));
    await showsPicture(tile(ben, "ben"));
    assert((await loudness(ada)) > AUDIBLE, "ada hears ben");
    assert((await loudness(ben)) > AUDIBLE, "ben hears ada");
    await screenshot(ada, "call-wide");
    if (process.env.UPDATE_GENERATED) await ada.screenshot({ type: "jpeg", quality: 80, path: fileURLToPath(new URL("../../docs/images/call.jpg", import.meta.url)) });
    await showsPicture(tile(con, "ada"));
    await con.getByRole("button", { name: "Turn sound on" }).or(con.locator(".call[data-connection=in]")).first().waitFor();
    assert((await loudness(con)) > AUDIBLE, "connie hears them");
  });

  testEverywhere("how one's connection is stands there in words, and as text to copy without the invite", async () => {
    await controlOf(ben, "settings").click();
    await ben.getByRole("button", { name: "How is my connection?" }).click();
    const dialog = ben.getByRole("dialog", { name: "Your connection" });
    await dialog.getByText("straight to the server, by UDP").waitFor();
    await dialog.getByText(/^\d+ ms$/).waitFor();
    const details = dialog.getByLabel("For whoever helps you");
    await eventually("what is lost is known", async () => /lost on the way here [\d.]+ %/.test(await details.inputValue()));
    const text = await details.inputValue();
    // Browsers keep the address of a server that they met before it was named to themselves.
    assert.match(text, /media by UDP, to (\[[\da-f:]+\]|[\d.]+|\?):\d+/);
    assert(!text.includes(room.link("ben").split("#")[1]) && !text.includes("Ben"), text);
    await accessible(ben, "connection");
    await ben.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });

  testEverywhere("a muted microphone is silent, and marked for everybody", async () => {
    await ben.getByRole("button", { name: "Mute", exact: true }).click();
    await tile(ada, "ben").getByLabel("microphone off").waitFor();
    await tile(ben, "ben").getByLabel("microphone off").waitFor();
    await eventually("silence", async () => (await loudness(ada)) < 0.005);
    await ben.getByRole("button", { name: "Unmute" }).click();
    await tile(ada, "ben").getByLabel("microphone off").waitFor({ state: "detached" });
    await eventually("a voice", async () => (await loudness(ada)) > AUDIBLE);
  });

  testEverywhere("a camera goes off and on again for everybody", async () => {
    await showsPicture(tile(ada, "ben"));
    await controlOf(ben, "camera").click();
    await tile(ada, "ben").locator("video").waitFor({ state: "hidden" });
    await tile(ada, "ben").getByText("B", { exact: true }).waitFor();
    await controlOf(ben, "camera").click();
    await showsPicture(tile(ada, "ben"));
  });

  testEverywhere("messages reach everybody, and are text whatever is in them", async () => {
    await controlOf(ada, "chat").click();
    await ada.getByLabel("Message").fill("<img src=x onerror=alert(1)> Hello");
    await ada.getByRole("button", { name: "Send" }).click();
    await ben.getByText("Message from Ada Lovelace: <img").waitFor();
    assert.match(await controlOf(ben, "chat").innerText(), /1 new message/);
    await controlOf(ben, "chat").click();
    await ben.getByRole("log").getByText("<img src=x onerror=alert(1)> Hello").waitFor();
    assert.equal(await ben.locator(".messages img").count(), 0);
    await ben.getByLabel("Message").fill("Hello Ada");
    await ben.keyboard.press("Enter");
    await ada.getByRole("log").getByText("Hello Ada").waitFor();
    await controlOf(con, "chat").click();
    await con.getByText("With your role you can read the chat").waitFor();
    assert.equal(await con.getByLabel("Message").isVisible(), false);
    await ada.getByLabel("Message").fill("For Connie too");
    await ada.keyboard.press("Enter");
    await con.getByRole("log").getByText("For Connie too").waitFor();
  });

  testEverywhere("the list of people names everybody and their roles", async () => {
    await controlOf(ada, "people").click();
    await ada.getByText("3 people").waitFor();
    const rows = ada.locator(".person");
    assert.match(await rows.nth(0).innerText(), /Ada Lovelace \(you\)\s*Presenter/);
    assert.match(await rows.filter({ hasText: "Connie" }).innerText(), /Connie\s*Consumer/);
    await con.getByRole("button", { name: "Leave" }).click();
    await ada.getByText("2 people").waitFor();
  });

  testEverywhere("a changed role is told in words, and takes and gives its controls without a new connection", async () => {
    await showsPicture(tile(ada, "ben"));
    const joins = [];
    ben.on("request", (request) => request.url().endsWith("/v1/join") && joins.push(request.url()));
    await room.edit({ participants: [people[0], { ...people[1], role: "Consumer" }] });
    await ben.getByText("Your role has changed: you are Consumer now").waitFor();
    await ben.getByText("Your camera is off now").waitFor();
    await controlOf(ben, "camera").waitFor({ state: "hidden" });
    await controlOf(ben, "microphone").waitFor({ state: "hidden" });
    await tile(ada, "ben").locator("video").waitFor({ state: "hidden" });
    await tile(ada, "ben").getByLabel("microphone off").waitFor();
    await screenshot(ben, "call-role-changed");
    await room.edit({ participants: [people[0], { ...people[1], role: "Presenter" }] });
    await ben.getByText("you are Presenter now").waitFor();
    await controlOf(ben, "end").waitFor();
    await controlOf(ben, "screen").waitFor();
    await controlOf(ben, "camera").click();
    await showsPicture(tile(ada, "ben"));
    assert.deepEqual(joins, []);
  });
});

test("a flood of messages is counted and not rendered while the chat is shut, and bounded by its sender", async (t) => {
  const room = await makeRoom({ participants: people });
  const ada = await person(t, room.link("ada"));
  await join(ada);
  const flooder = await person(t, `${gateway}/`);
  await flooder.evaluate(livekitClient);
  const invite = room.link("cara").split("#")[1];
  await flooder.evaluate(async (invite) => {
    const answer = await fetch("v1/join", { method: "POST", headers: { authorization: `Bearer ${invite}` } });
    const { url, token } = await answer.json();
    window.room = new globalThis.LivekitClient.Room();
    await window.room.connect(url, token);
    window.write = async (number) => {
      for (let sent = 0; sent < number; sent += 1) await window.room.localParticipant.sendText(`Flood ${sent}`, { topic: "lk.chat" });
    };
  }, invite);
  await tile(ada, "cara").waitFor();
  await ada.evaluate(() => {
    window.said = 0;
    window.rendered = 0;
    const watch = (place, seen) => new MutationObserver((changes) => seen(changes.flatMap(({ addedNodes }) => [...addedNodes]).length)).observe(place, { childList: true });
    watch(document.querySelector(".notices[role=status]"), (added) => (window.said += added));
    watch(document.querySelector(".tiles"), (added) => (window.rendered += added));
  });
  await flooder.evaluate(() => window.write(300));
  await eventually("the messages are counted", async () => Number(/(\d+) new messages/.exec(await controlOf(ada, "chat").innerText())?.[1]) >= 10);
  const { said, rendered } = await ada.evaluate(() => ({ said: window.said, rendered: window.rendered }));
  assert(said <= 10, `${said} announcements`);
  assert.equal(rendered, 0);
  assert.equal(await ada.locator(".messages li").count(), 0);
  await controlOf(ada, "chat").click();
  await ada.getByRole("log").getByText("Flood 0", { exact: true }).waitFor();
  await ada.getByRole("log").getByText("Messages of this person are left out").first().waitFor();
  const shown = await ada.locator(".messages li").count();
  assert(shown >= 10 && shown < 60, `${shown} messages are shown`);
  // Ten at once and one a second from then on: how many that are depends on how fast this machine is.
  const refusal = ada.getByText("You write faster than others can read");
  for (let sent = 0; sent < 10 || (sent < 100 && !(await refusal.isVisible())); sent += 1) {
    await ada.getByLabel("Message").fill(`Mine ${sent}`);
    await ada.keyboard.press("Enter");
    await eventually("it is sent or refused", async () => (await ada.getByLabel("Message").inputValue()) === "" || (await refusal.isVisible()));
  }
  await refusal.waitFor();
  await flooder.evaluate(() => window.room.disconnect());
});

test("a large call has pages, whoever speaks comes to the first, and only the pictures in sight are sent", async (t) => {
  const crowd = ["b", "c", "d", "e", "f", "g"];
  const room = await makeRoom({ participants: [...people, ...crowd.map((name) => ({ name }))] });
  const page = await person(t, `${gateway}/`);
  await page.evaluate(livekitClient);
  const invites = Object.fromEntries(crowd.map((name) => [name, room.link(name).split("#")[1]]));
  await page.evaluate(async (invites) => {
    const rooms = {};
    for (const [name, invite] of Object.entries(invites)) {
      const answer = await fetch("v1/join", { method: "POST", headers: { authorization: `Bearer ${invite}` } });
      const { url, token } = await answer.json();
      rooms[name] = new globalThis.LivekitClient.Room();
      await rooms[name].connect(url, token, { autoSubscribe: false });
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [160, 100];
      const pen = canvas.getContext("2d");
      setInterval(() => pen.fillRect(Math.random() * 160, Math.random() * 100, 9, 9), 500);
      await rooms[name].localParticipant.publishTrack(canvas.captureStream(2).getVideoTracks()[0], { source: "camera", simulcast: false });
    }
    window.speak = async (name) => {
      const context = new AudioContext();
      const [tone, voice] = [context.createOscillator(), context.createMediaStreamDestination()];
      tone.connect(voice);
      tone.start();
      await rooms[name].localParticipant.publishTrack(voice.stream.getAudioTracks()[0], { source: "microphone" });
    };
    window.leave = () => Promise.all(Object.values(rooms).map((room) => room.disconnect()));
  }, invites);
  const ada = await person(t, room.link("ada"), { viewport: NARROW, open: false });
  await ada.addInitScript(() => {
    const connections = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(...options) {
        super(...options);
        connections.push(this);
      }
    };
    const receives = ({ receiver, currentDirection }) => receiver.track.kind === "video" && /recv/.test(currentDirection ?? "");
    window.received = () => connections.flatMap((connection) => connection.getTransceivers()).filter(receives).length;
  });
  await ada.goto(room.link("ada"));
  await join(ada);
  const inSight = () => ada.locator(".tile").evaluateAll((tiles) => tiles.map(({ dataset }) => dataset.identity));
  await ada.getByText("Page 1 of 2").waitFor();
  const first = await inSight();
  assert.equal(first.length, 4);
  assert(first.includes("ada"));
  await eventually("three pictures are sent", async () => (await ada.evaluate(() => window.received())) === 3);
  await showsPicture(tile(ada, first.find((identity) => identity !== "ada")));
  await screenshot(ada, "call-pages-320");
  await ada.getByRole("button", { name: "Next page" }).click();
  await ada.getByText("Page 2 of 2").waitFor();
  const second = await inSight();
  assert.deepEqual([...first, ...second].sort(), ["ada", ...crowd]);
  await showsPicture(tile(ada, second[0]));
  await eventually("those that are out of sight are sent no more", async () => (await ada.evaluate(() => window.received())) === second.length);
  await ada.getByRole("button", { name: "Next page" }).click();
  await page.evaluate((name) => window.speak(name), second[0]);
  await tile(ada, second[0]).getByLabel("speaking").waitFor();
  assert((await loudness(ada)) > AUDIBLE, "and is heard");
  await page.evaluate(() => window.leave());
  await ada.getByText("Page 1 of 2").waitFor({ state: "hidden" });
});

testEverywhere("who may share a screen does, and others have no button for it", async (t) => {
  const room = await makeRoom({ participants: people });
  // Firefox has no screen to share where there is none.
  const [cara, ben] = [await person(t, room.link("cara"), { in: CHROMIUM }), await person(t, room.link("ben"))];
  await join(cara);
  await join(ben);
  assert.equal(await controlOf(ben, "screen").isVisible(), false);
  await cara.getByRole("button", { name: "Share screen" }).click();
  await ben.locator(".tile.screen").getByText("Screen of Cara").waitFor();
  await showsPicture(ben.locator(".tile.screen"));
  await screenshot(ben, "screen-share-wide");
  await cara.getByRole("button", { name: "Stop sharing" }).click();
  await ben.locator(".tile.screen").waitFor({ state: "detached" });
});

test("whoever speaks is marked", async (t) => {
  const room = await makeRoom({ participants: people });
  const [ada, ben] = [await person(t, room.link("ada")), await person(t, room.link("ben"), { open: false })];
  // The fake microphone's beeps are too short to pass for speech.
  await ben.addInitScript(() => {
    if (!navigator.mediaDevices) return;
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      if (!constraints.audio) return ask(constraints);
      const context = new AudioContext();
      const [tone, voice] = [context.createOscillator(), context.createMediaStreamDestination()];
      tone.connect(voice);
      tone.start();
      await context.resume();
      return voice.stream;
    };
  });
  await ben.goto(room.link("ben"));
  await join(ada);
  await join(ben);
  await ada.locator('.tile.speaking[data-identity="ben"]').getByLabel("speaking").waitFor();
  await screenshot(ada, "call-speaking");
  await controlOf(ben, "microphone").click();
  await ada.locator('.tile.speaking[data-identity="ben"]').waitFor({ state: "detached" });
});

test("the time left is shown, and said aloud five minutes and one minute before the end", async (t) => {
  const room = await makeRoom({ validUntil: inSeconds(5 * 60 + 8), participants: people });
  const page = await person(t, room.link("con"));
  await join(page);
  await page.getByRole("timer").getByText("6 minutes left").waitFor();
  await page.getByRole("status").getByText("The call ends in 5 minutes.").waitFor();
  await screenshot(page, "call-five-minutes");
  // Early enough for whoever takes seconds to come in.
  await room.edit({ validUntil: inSeconds(75) });
  await page.reload();
  await join(page);
  await page.getByRole("alert").getByText("The call ends in 1 minute.").waitFor();
  await screenshot(page, "call-one-minute");
});

testEverywhere("everybody returns by themselves after the media server was restarted", async (t) => {
  const room = await makeRoom({ roomClassName: restartedClass, participants: people });
  const [ada, ben] = [await person(t, room.link("ada")), await person(t, room.link("ben"))];
  await join(ada);
  await join(ben);
  await showsPicture(tile(ada, "ben"));
  await controlOf(ben, "microphone").click();
  await ben.getByRole("button", { name: "Unmute" }).waitFor();
  await control("restart livekit");
  await ada.locator(".banner:visible").first().waitFor();
  await screenshot(ada, "call-returning");
  await eventually("both are back", async () => (await tile(ada, "ben").count()) === 1 && (await tile(ben, "ada").count()) === 1, 60_000);
  await inCall(ada);
  await showsPicture(tile(ada, "ben"));
  await tile(ada, "ben").getByLabel("microphone off").waitFor();
});

testEverywhere("a reload keeps the invite, another link in the same tab replaces it, and a link that lost its end leads nowhere", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ada"));
  await page.getByText("Hello Ada Lovelace").waitFor();
  assert.equal(page.url(), `${gateway}/`);
  await page.reload();
  await page.getByText("Hello Ada Lovelace").waitFor();
  await page.goto(room.link("con"));
  await page.getByText("Hello Connie").waitFor();
  assert.equal(page.url(), `${gateway}/`);
  for (const end of ["#v4.public", "#"]) {
    await page.goto(room.link("con"));
    await page.getByText("Hello Connie").waitFor();
    await page.goto(`${gateway}/${end}`);
    await page.getByRole("heading", { name: "There is no invite in this link" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "There is no invite in this link" }).waitFor();
  }
});

test("nobody is taken out of a call by another link without being asked", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ada"));
  await join(page);
  const open = (link) => page.evaluate((hash) => (location.hash = hash), link.split("#")[1]);
  await open(room.link("con"));
  const question = page.getByRole("dialog");
  await question.getByText("Another join link was opened in this tab").waitFor();
  assert.equal(page.url(), `${gateway}/`);
  await question.getByRole("button", { name: "Cancel" }).click();
  await inCall(page);
  await open("#truncated");
  await page.getByRole("status").getByText("There is no invite in this link").waitFor();
  await inCall(page);
  await open(room.link("con"));
  await question.getByRole("button", { name: "Leave this call" }).click();
  await page.getByText("Hello Connie").waitFor();
});

test("whoever opened the page in a window has no hold of it", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, livekit);
  const opened = page.waitForEvent("popup");
  await page.evaluate((link) => void (window.popup = window.open(link, "call")), room.link("ada"));
  await (await opened).getByText("Hello Ada Lovelace").waitFor();
  await eventually("the window is out of reach", () => page.evaluate(() => window.popup.closed));
});
