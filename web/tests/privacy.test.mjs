import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { gateway } from "./lib/installation.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { join, person } from "./lib/people.mjs";
import { test, testEverywhere } from "./lib/tests.mjs";

const people = [{ name: "ada", displayName: "Ada Lovelace", role: "Presenter" }];

testEverywhere("the invite is gone from the address before anything else is asked for, and goes into headers alone", async (t) => {
  const room = await makeRoom({ participants: people });
  const link = room.link("ada");
  const invite = link.split("#")[1];
  const page = await person(t, link, { open: false });
  const asked = [];
  page.on("request", (request) => asked.push(request));
  await page.goto(link);
  await join(page);
  assert.equal(page.url(), `${gateway}/`);
  const calls = asked.filter((request) => request.url().includes("/v1/"));
  assert(calls.length >= 2);
  for (const request of calls) {
    assert.equal(await request.headerValue("authorization"), `Bearer ${invite}`);
    assert(!(request.postData() ?? "").includes(invite));
  }
  assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), { "roomkeeper.invite": invite });
  assert.equal(await page.evaluate(() => history.length <= 2), true);
});

testEverywhere("the media token is in no address, of the connection or of the question why one failed", async (t) => {
  const room = await makeRoom({ participants: people });
  const link = room.link("ada");
  const page = await person(t, link, { open: false });
  const tokens = [];
  const asked = [];
  const sockets = [];
  page.on("request", (request) => asked.push(request));
  // Firefox tells of a WebSocket as of a request.
  page.on("websocket", (socket) => sockets.push(socket.url()));
  page.on("request", (request) => /\/rtc\b(?!.*\/validate)/.test(request.url()) && sockets.push(request.url()));
  // The first token is spoilt, so that livekit-client asks the gateway why it was refused.
  await page.route("**/v1/join", async (route) => {
    const response = await route.fetch();
    const json = await response.json();
    if (tokens.length === 0) json.token = `${json.token.slice(0, -4)}AAAA`;
    tokens.push(json.token);
    await route.fulfill({ response, json });
  });
  await page.goto(link);
  await join(page);
  const why = asked.filter((request) => request.url().includes("/validate"));
  assert(why.length >= 1 && sockets.length >= 2 && tokens.length >= 2);
  assert.equal(await why[0].headerValue("authorization"), `Bearer ${tokens[0]}`);
  for (const address of [...asked.map((request) => request.url()), ...sockets]) {
    assert(!address.includes("access_token") && !tokens.some((token) => address.includes(token)), address);
  }
});

test("the page comes with strict rules for browsers, and its files can be kept", async () => {
  const answer = await fetch(gateway);
  const policy = answer.headers.get("content-security-policy");
  for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]) {
    assert(policy.split("; ").includes(rule), `${rule} is missing in ${policy}`);
  }
  assert(!/unsafe|data:|\*/.test(policy), policy);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  assert.equal(answer.headers.get("cross-origin-opener-policy"), "same-origin");
  assert.match(answer.headers.get("permissions-policy"), /camera=\(self\), microphone=\(self\), display-capture=\(self\), fullscreen=\(self\)/);
  const html = await answer.text();
  assert(!/<style|style=|<script(?![^>]*src=)|\son\w+=/i.test(html), "nothing inline");
  for (const [, address] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
    if (address === "start.js") continue;
    assert.match(address, /^assets\/[a-z]+-[0-9a-f]{16}\.\w+$/);
    const file = await fetch(`${gateway}/${address}`);
    assert.equal(file.status, 200);
    assert.equal(file.headers.get("cache-control"), "public, max-age=31536000, immutable");
    // An answer that nobody reads keeps its connection, and this process with it, until the gateway cuts it.
    await file.arrayBuffer();
    const again = await fetch(`${gateway}/${address}`, { headers: { "if-none-match": file.headers.get("etag") } });
    assert.equal(again.status, 304);
  }
  const missing = await fetch(`${gateway}/assets/nothing-0000.js`);
  await missing.arrayBuffer();
  assert.equal(missing.status, 404);
});

test("the page weighs at most 250 kB at first load", async (t) => {
  const html = await (await fetch(gateway)).text();
  const addresses = ["", ...[...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address)];
  let weight = 0;
  for (const address of addresses) {
    const file = await fetch(`${gateway}/${address}`, { headers: { "accept-encoding": "gzip" } });
    const plain = Buffer.from(await file.arrayBuffer());
    const coded = file.headers.get("content-encoding") === "gzip";
    assert(coded || plain.length < 1000, `/${address} is compressed`);
    // What went over the wire, where the gateway says it.
    weight += Number(file.headers.get("content-length")) || gzipSync(plain).length;
  }
  t.diagnostic(`${(weight / 1000).toFixed(1)} kB`);
  assert(weight <= 250_000, `${weight} bytes`);
});
