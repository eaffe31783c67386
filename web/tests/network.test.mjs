// Whether people hear each other by the ways that their network leaves open. Run from outside of a real cluster.

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { after, before } from "node:test";
import { BROWSER } from "./lib/browsers.mjs";
import { eventually } from "./lib/eventually.mjs";
import { gateway } from "./lib/installation.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { AUDIBLE, loudness } from "./lib/media.mjs";
import { join, person } from "./lib/people.mjs";
import { testEverywhere } from "./lib/tests.mjs";

/** Where the gateway really is, what the network is called, and by which way media have to come. */
const { UPSTREAM, NETWORK, WAY } = process.env;

/** Passes connections on to the gateway: without TLS browsers give a microphone to pages of their own machine alone. */
const passing = createServer((socket) => {
  const [host, port] = UPSTREAM.split(":");
  const passed = connect(Number(port), host);
  for (const [from, to] of [[socket, passed], [passed, socket]]) from.on("error", () => to.destroy()).pipe(to);
});
before(() => new Promise((listening) => passing.listen(Number(new URL(gateway).port), "127.0.0.1", listening)));
after(() => passing.close());

/** Keeps the connections that a page makes, for what browsers say of them. */
function keepConnections() {
  globalThis.connections = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...given) {
      super(...given);
      globalThis.connections.push(this);
    }
  };
}

/** The pairs of places between which a page's connections have tried to go: what browsers say of each, and of both ends of it. */
async function pairs(page) {
  const reports = await page.evaluate(() => Promise.all(globalThis.connections.map(async (connection) => [...(await connection.getStats()).values()])));
  return reports.flatMap((report) => {
    const candidate = (wanted) => report.find(({ id }) => id === wanted) ?? {};
    const found = report.filter(({ type }) => type === "candidate-pair");
    return found.map((pair) => ({ ...pair, local: candidate(pair.localCandidateId), remote: candidate(pair.remoteCandidateId) }));
  });
}

/** By which protocols a page's media leave the machine. Under load a relay, to which TLS goes by TCP, may be there before the straight way. */
async function ways(page) {
  const used = (await pairs(page)).filter(({ nominated, state }) => nominated && state === "succeeded");
  const protocol = ({ protocol, relayProtocol }) => (relayProtocol === "tls" ? "tcp" : relayProtocol ?? protocol);
  return [...new Set(used.map(({ local }) => protocol(local)))];
}

/** All that a page's connections have tried, for a failure. */
async function tried(page) {
  const place = ({ candidateType, protocol, relayProtocol, address, port }) =>
    `${candidateType} ${protocol} ${address}:${port}${relayProtocol ? ` by ${relayProtocol}` : ""}`;
  const told = ({ local, remote, state, requestsSent, responsesReceived }) =>
    `${place(local)} to ${place(remote)}: ${state}, ${requestsSent} sent, ${responsesReceived} answered`;
  return (await pairs(page)).map(told).join("\n");
}

async function visitor(test, link) {
  const page = await person(test, link, { open: false, ignoreHTTPSErrors: true });
  await page.addInitScript(keepConnections);
  await page.goto(link);
  return page;
}

if (WAY === "none") testEverywhere(`somebody is told what their network does not let through: ${NETWORK}`, async (t) => {
  const room = await makeRoom({ participants: [{ name: "ada", role: "Presenter" }] });
  const ada = await visitor(t, room.link("ada"));
  // Before the call as well as by trying.
  await ada.getByRole("button", { name: "Check my connection" }).click();
  const check = ada.getByRole("dialog", { name: "Your connection" });
  await check.getByText("Your network lets no sound and no pictures through").waitFor();
  const checked = await check.textContent();
  for (const place of process.env.PLACES.split(", ")) assert(checked.includes(place), `${place} is not in: ${checked}`);
  assert.match(checked, /By UDP\s*no answer/);
  assert.match(checked, /By TCP\s*no answer/);
  await ada.keyboard.press("Escape");
  await ada.getByRole("button", { name: "Join now" }).click();
  await ada.getByRole("heading", { name: "Your network lets no sound and no pictures through" }).waitFor();
  const told = await ada.locator("main").textContent();
  console.log(`${NETWORK}, ${BROWSER}: ${told}`);
  for (const place of process.env.PLACES.split(", ")) assert(told.includes(place), `${place} is not in: ${told}`);
});
else testEverywhere(`two people hear each other: ${NETWORK}`, async (t) => {
  const room = await makeRoom({ participants: [{ name: "ada", role: "Presenter" }, { name: "bob" }] });
  const ada = await visitor(t, room.link("ada"));
  await join(ada);
  const bob = await visitor(t, room.link("bob"));
  if (WAY === "any") {
    // Only a relay is left.
    await bob.getByRole("button", { name: "Check my connection" }).click();
    const check = bob.getByRole("dialog", { name: "Your connection" });
    await check.getByText("Sound and pictures get through.").waitFor().catch(async (error) => {
      throw new Error(`the check says: ${await check.textContent()}`, { cause: error });
    });
    assert.match(await check.textContent(), /By UDP\s*(no answer|not tried).*By a relay \(TURN\)\s*gets through/s);
    await bob.keyboard.press("Escape");
  }
  const began = performance.now();
  await join(bob);
  await eventually("bob hears ada", async () => (await loudness(bob)) > AUDIBLE);
  const seconds = (performance.now() - began) / 1000;
  await eventually("ada hears bob", async () => (await loudness(ada)) > AUDIBLE);
  // Which pair is used is asked of the network again and again, so that there is none for moments.
  const taken = await eventually("bob's media have a way", async () => {
    const found = await ways(bob);
    return found.length > 0 && found;
  });
  console.log(`${NETWORK}, ${BROWSER}: ${seconds.toFixed(1)} s from join to first audio, ${taken}`);
  // Where the network leaves but one way, it is the proof itself.
  // A browser has two connections, of which one may be done by another way that the network leaves before the better one is tried.
  assert(WAY === "any" || taken.includes(WAY), `${WAY} is what this network leaves, and media came by ${taken}:\n${await tried(bob)}`);
});
