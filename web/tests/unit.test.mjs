// Decisions of the page that need no browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

/** A module of the page, as Node.js takes it. */
async function load(name) {
  const entry = fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url));
  const { outputFiles } = await esbuild.build({ entryPoints: [entry], bundle: true, write: false, format: "esm" });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

test("those whose connections broke at one moment come back spread over a second", async () => {
  const { resumption } = await load("pace");
  const first = Array.from({ length: 350 }, () => resumption(0)).sort((a, b) => a - b);
  assert(first.at(0) >= 0 && first.at(-1) <= 1000, `${first.at(0)} to ${first.at(-1)}`);
  const busiest = Math.max(...Array.from({ length: 10 }, (_, tenth) => first.filter((delay) => delay >= tenth * 100 && delay < (tenth + 1) * 100).length));
  assert(busiest < 100, `${busiest} of 350 in a tenth of a second`);
  assert.equal(resumption(5), null, "the gateway is asked then");
});

test("the first page has who spoke last, and nobody on it changes place without need", async () => {
  const { arrange } = await load("order");
  const person = (identity, { spoke = 0, camera = false, microphone = false, local = false } = {}) => ({ identity, isLocal: local, hasCamera: camera, hasMicrophone: microphone, spoke });
  const people = [person("a", { camera: true }), person("b", { camera: true }), person("c"), person("d", { microphone: true }), person("me", { local: true })];
  let order = arrange([], people, 3);
  assert.deepEqual(order, ["a", "b", "me", "c", "d"]);
  people[3] = person("d", { spoke: 1000, microphone: true });
  order = arrange(order, people, 3);
  assert.deepEqual(order, ["a", "d", "me", "b", "c"], "who speaks comes, and who gives way is the last of those who have not spoken");
  people[2] = person("c", { spoke: 2000 });
  order = arrange(order, people, 3);
  assert.deepEqual(order, ["c", "d", "me", "a", "b"]);
  people[3] = person("d", { spoke: 3000 });
  assert.deepEqual(arrange(order, people, 3), order, "nobody moves who is there already");
  order = arrange(order, [...people.filter(({ identity }) => identity !== "d"), person("e", { camera: true })], 3);
  assert.deepEqual(order, ["c", "me", "a", "b", "e"]);
  const all = arrange(order, [...people, person("e"), person("f")], 50);
  assert.deepEqual(all, ["c", "me", "a", "b", "e", "d", "f"], "in the order of their arrival where all are in sight");
});

test("a page holds as many people as can be told apart, on every screen", async () => {
  const { capacity } = await load("order");
  assert.equal(capacity(1256, 640, 180, 1.6, 8), 24);
  assert.equal(capacity(880, 600, 180, 1.6, 8), 20);
  assert.equal(capacity(296, 420, 180, 1.6, 8), 4);
  assert.equal(capacity(0, 0, 180, 1.6, 8), 4);
});

test("everybody may do so much at once and so much a second, whatever others do", async () => {
  const { Allowance } = await load("allowance");
  const allowed = new Allowance(3, 1);
  const times = (who, now, number) => Array.from({ length: number }, () => allowed.take(who, now)).filter(Boolean).length;
  assert.equal(times("ada", 0, 10), 3);
  assert.equal(times("ben", 0, 10), 3);
  assert.equal(times("ada", 999, 10), 0);
  assert.equal(times("ada", 2500, 10), 2);
  assert.equal(times("ada", 3_600_000, 10), 3, "nobody saves more than that");
  assert.equal(times("ada", 0, 10), 0, "a clock that was set back gives nothing");
  for (let other = 0; other < 5000; other += 1) allowed.take(`other-${other}`, 3_600_000);
  assert(allowed.left.size <= 1000, "it remembers a bounded number of people");
});

test("what browsers tell of connections is one answer, whether a relay is between or not", async () => {
  const { measure } = await load("connection");
  const pair = (more) => ({ id: "p", type: "candidate-pair", nominated: true, state: "succeeded", localCandidateId: "l", remoteCandidateId: "r", ...more });
  const server = { id: "r", type: "remote-candidate", address: "198.51.100.7", port: 7882 };
  const straight = [pair({ currentRoundTripTime: 0.0234 }), { id: "l", type: "local-candidate", candidateType: "host", protocol: "udp" }, server];
  const counts = [{ type: "inbound-rtp", packetsLost: 5, packetsReceived: 95 }, { type: "outbound-rtp", packetsSent: 200 }, { type: "remote-inbound-rtp", packetsLost: 1 }];
  assert.deepEqual(measure([[], [...straight, ...counts]]), { way: { protocol: "UDP", relay: false }, place: "198.51.100.7:7882", roundTrip: 23, lostHere: 0.05, lostThere: 0.005 });
  // As Chromium has a relay that the server saw at another address.
  const relayed = [pair({}), { id: "l", type: "local-candidate", candidateType: "prflx", protocol: "udp", relayProtocol: "tls" }, server];
  assert.deepEqual(measure([relayed]).way, { protocol: "TLS", relay: true });
  assert.equal(measure([[straight[0], straight[1], { ...server, address: "2001:db8::7" }]]).place, "[2001:db8::7]:7882");
  const met = { ...server, address: "", candidateType: "prflx" };
  assert.equal(measure([[straight[0], straight[1], met]]).place, "?:7882", "as Chromium has a server that it met on the way");
  assert.equal(measure([[straight[0], straight[1], met], straight]).place, "198.51.100.7:7882");
  assert.deepEqual(measure([[pair({ nominated: false })], []]), { way: null, place: null, roundTrip: null, lostHere: null, lostThere: null });
});

test("what a check finds of each way is that it works, was not answered, not tried or not offered", async () => {
  const { placesNamed, waysTried } = await load("connection");
  const pair = (more) => ({ type: "candidate-pair", localCandidateId: "l", remoteCandidateId: "udp", ...more });
  const local = { id: "l", type: "local-candidate", candidateType: "host", protocol: "udp" };
  const named = ["udp", "tcp"].map((protocol) => ({ id: protocol, type: "remote-candidate", candidateType: "host", protocol, address: "198.51.100.7", port: 7880 }));
  const by = (...pairs) => [[], [local, ...named, ...pairs]];
  const both = ["udp", "tcp", "udp"];
  assert.deepEqual(waysTried([[], []], [], false), { udp: "unoffered", tcp: "unoffered", turn: "unoffered" });
  assert.deepEqual(waysTried(by(), both, true), { udp: "unanswered", tcp: "unanswered", turn: "unanswered" }, "when nothing works, nothing is left untried");
  const tried = by(pair({ state: "succeeded" }), pair({ remoteCandidateId: "tcp", state: "in-progress", requestsSent: 3 }));
  assert.deepEqual(waysTried(tried, both, false), { udp: "works", tcp: "unanswered", turn: "unoffered" });
  assert.deepEqual(waysTried([...tried, ...by(pair({ state: "failed", requestsSent: 9 }))], both, false).udp, "works", "of all that was told the best");
  assert.deepEqual(waysTried(by(pair({ state: "succeeded" })), both, false).tcp, "untried", "as browsers forget what they need no more");
  const relay = { id: "r", type: "local-candidate", candidateType: "relay", protocol: "udp", relayProtocol: "tls" };
  const relayed = [[relay, ...named, pair({ localCandidateId: "r", state: "succeeded" })]];
  assert.deepEqual(waysTried(relayed, ["udp"], true), { udp: "untried", tcp: "unoffered", turn: "works" }, "by a relay is another way");
  assert.deepEqual(placesNamed([...tried, [{ ...named[0], candidateType: "prflx", port: 9 }]]), ["TCP 7880 (198.51.100.7)", "UDP 7880 (198.51.100.7)"]);
});
