import { test } from "node:test";
import { NARROW, WIDE, accessible, controlOf, gateway, inSeconds, join, makeRoom, person, showsPicture, tile } from "./stage.mjs";

const people = [
  { name: "ada", displayName: "Ada Lovelace", role: "Presenter" },
  { name: "ben", displayName: "Benjamin Maximilian Freiherr von und zu Hohenstein-Langenburg" },
  { name: "con", displayName: "Connie", role: "Consumer" },
];

for (const colorScheme of ["light", "dark"]) {
  for (const [width, viewport] of [["wide", WIDE], ["320", NARROW]]) {
    const as = `${colorScheme}-${width}`;
    const context = { colorScheme, viewport };

    test(`before the call, ${colorScheme}, ${width}`, async (t) => {
      const open = await makeRoom({ displayName: "Quarterly review of everything that matters", participants: people });
      const early = await makeRoom({ validFrom: inSeconds(600), duration: "1h", participants: people });
      await accessible(await person(t, `${gateway}/`, context), `missing-${as}`);
      const lobby = await person(t, open.link("ben"), context);
      await lobby.getByRole("button", { name: "Turn camera off" }).waitFor();
      await lobby.getByLabel("Camera", { exact: true }).waitFor();
      await accessible(lobby, `lobby-${as}`);
      const consumer = await person(t, open.link("con"), context);
      await consumer.getByRole("button", { name: "Join now" }).waitFor();
      await accessible(consumer, `lobby-consumer-${as}`);
      const waiting = await person(t, early.link("ben"), context);
      await waiting.getByText("You are early").waitFor();
      await accessible(waiting, `waiting-${as}`);
      const invalid = await person(t, `${gateway}/#v4.public.thisIsNoInviteThatAnybodyEverSigned`, context);
      await invalid.getByRole("heading", { name: "This invite is not valid" }).waitFor();
      await accessible(invalid, `invalid-${as}`);
    });

    test(`in the call and after it, ${colorScheme}, ${width}`, async (t) => {
      const room = await makeRoom({ displayName: "Quarterly review of everything that matters", participants: people });
      const ben = await person(t, room.link("ben"));
      await join(ben);
      const ada = await person(t, room.link("ada"), context);
      await join(ada);
      await showsPicture(tile(ada, "ben"));
      await showsPicture(tile(ada, "ada"));
      await accessible(ada, `call-${as}`);
      await controlOf(ada, "chat").click();
      await ada.getByLabel("Message").fill("Good morning everybody");
      await ada.keyboard.press("Enter");
      await controlOf(ben, "chat").click();
      await ben.getByLabel("Message").fill("Good morning Ada. Here is a message that is somewhat longer, so that it takes more than one line.");
      await ben.keyboard.press("Enter");
      await ada.getByRole("log").getByText("Good morning Ada").waitFor();
      await accessible(ada, `chat-${as}`);
      await controlOf(ada, "people").click();
      await ada.locator(".person").nth(1).waitFor();
      await accessible(ada, `people-${as}`);
      await ada.getByRole("button", { name: "Add a person" }).click();
      await accessible(ada, `add-person-${as}`);
      await ada.keyboard.press("Escape");
      await controlOf(ada, "end").click();
      await accessible(ada, `end-for-all-${as}`);
      await ada.keyboard.press("Escape");
      await controlOf(ada, "settings").click();
      await accessible(ada, `devices-${as}`);
      await ada.keyboard.press("Escape");
      await controlOf(ada, "leave").click();
      await ada.getByRole("heading", { name: "You left the call" }).waitFor();
      await accessible(ada, `left-${as}`);
      room.edit({ validUntil: inSeconds(0) });
      await ben.getByRole("heading", { name: "The call is over" }).waitFor();
    });
  }
}

test("the page can be used with forced colours", async (t) => {
  const room = await makeRoom({ participants: people });
  const page = await person(t, room.link("ada"), { forcedColors: "active" });
  await page.getByRole("button", { name: "Join now" }).waitFor();
  await accessible(page, "lobby-forced-colors");
  await join(page);
  await accessible(page, "call-forced-colors");
});
