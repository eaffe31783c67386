import { accessible, accessibleInAllShapes } from "./lib/accessibility.mjs";
import { inSeconds } from "./lib/eventually.mjs";
import { gateway } from "./lib/installation.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { showsPicture } from "./lib/media.mjs";
import { controlOf, join, person, tile } from "./lib/people.mjs";
import { test, testInChromium } from "./lib/tests.mjs";

const displayName = "Quarterly review of everything that matters";
const people = [
  { name: "ada", displayName: "Ada Lovelace", role: "Presenter" },
  { name: "ben", displayName: "Benjamin Maximilian Freiherr von und zu Hohenstein-Langenburg" },
  { name: "con", displayName: "Connie", role: "Consumer" },
];

test("before the call, in all colours and widths", async (t) => {
  const open = await makeRoom({ displayName, participants: people });
  const early = await makeRoom({ validFrom: inSeconds(600), duration: "1h", participants: people });
  await accessibleInAllShapes(await person(t, `${gateway}/`), "missing");
  const lobby = await person(t, open.link("ben"));
  await lobby.getByRole("button", { name: "Turn camera off" }).waitFor();
  await lobby.getByLabel("Camera", { exact: true }).waitFor();
  await accessibleInAllShapes(lobby, "lobby");
  const consumer = await person(t, open.link("con"));
  await consumer.getByRole("button", { name: "Join now" }).waitFor();
  await accessibleInAllShapes(consumer, "lobby-consumer");
  const waiting = await person(t, early.link("ben"));
  await waiting.getByText("You are early").waitFor();
  await accessibleInAllShapes(waiting, "waiting");
  const invalid = await person(t, `${gateway}/#v4.public.thisIsNoInviteThatAnybodyEverSigned`);
  await invalid.getByRole("heading", { name: "This invite is not valid" }).waitFor();
  await accessibleInAllShapes(invalid, "invalid");
});

test("in the call and after it, in all colours and widths", async (t) => {
  const room = await makeRoom({ displayName, participants: people });
  const ben = await person(t, room.link("ben"));
  await join(ben);
  const ada = await person(t, room.link("ada"));
  await join(ada);
  await showsPicture(tile(ada, "ben"));
  await showsPicture(tile(ada, "ada"));
  await accessibleInAllShapes(ada, "call");
  await controlOf(ada, "chat").click();
  await ada.getByLabel("Message").fill("Good morning everybody");
  await ada.keyboard.press("Enter");
  await controlOf(ben, "chat").click();
  await ben.getByLabel("Message").fill("Good morning Ada. Here is a message that is somewhat longer, so that it takes more than one line.");
  await ben.keyboard.press("Enter");
  await ada.getByRole("log").getByText("Good morning Ada").waitFor();
  await accessibleInAllShapes(ada, "chat");
  await showPeopleAndDialogs(ada);
  await controlOf(ada, "leave").click();
  await ada.getByRole("heading", { name: "You left the call" }).waitFor();
  await accessibleInAllShapes(ada, "left");
  await room.edit({ validUntil: inSeconds(0) });
  await ben.getByRole("heading", { name: "The call is over" }).waitFor();
  await accessibleInAllShapes(ben, "over");
});

/** The list of people in a Presenter's call, and the dialogs of it. */
async function showPeopleAndDialogs(page) {
  await controlOf(page, "people").click();
  await page.locator(".person").nth(1).waitFor();
  await accessibleInAllShapes(page, "people");
  await page.getByRole("button", { name: "Add a person" }).click();
  await accessibleInAllShapes(page, "add-person");
  await page.keyboard.press("Escape");
  await controlOf(page, "end").click();
  await accessibleInAllShapes(page, "end-for-all");
  await page.keyboard.press("Escape");
  await controlOf(page, "settings").click();
  await accessibleInAllShapes(page, "devices");
  await page.keyboard.press("Escape");
}

testInChromium("no driver of Firefox emulates forced colours", "the page can be used with forced colours", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ada"), { forcedColors: "active" });
  await page.getByRole("button", { name: "Join now" }).waitFor();
  await accessible(page, "lobby-forced-colors");
  await join(page);
  await accessible(page, "call-forced-colors");
});
