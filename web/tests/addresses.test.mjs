import assert from "node:assert/strict";
import { before } from "node:test";
import { screenshot } from "./lib/accessibility.mjs";
import { gateway, namedGateway } from "./lib/installation.mjs";
import { makeRoom } from "./lib/kubernetes.mjs";
import { controlOf, inCall, join, person } from "./lib/people.mjs";
import { proxy } from "./lib/proxy.mjs";
import { test } from "./lib/tests.mjs";

const { port } = new URL(namedGateway);
let invite;
let guest;
before(async () => {
  const room = await makeRoom({ participants: [{ name: "con", displayName: "Connie", role: "Consumer" }, { name: "ada", role: "Presenter" }] });
  invite = room.link("con").split("#")[1];
  guest = room.link("ada").split("#")[1];
});

/** Somebody who opens the link at this address. */
const visitor = (t, at, options) => person(t, `${at}/#${invite}`, { at, ...options });

test("at another name than the gateway was told, as a second host or a port-forward has one", async (t) => {
  await join(await visitor(t, `http://127.0.0.1:${port}`));
  await join(await visitor(t, `http://other.localhost:${port}`));
});

test("under the path that the gateway was told, with and without a proxy that takes it off", async (t) => {
  const page = await visitor(t, namedGateway);
  await join(page);
  await page.reload();
  await join(page);
  const stripping = await proxy(t, gateway, { rule: ({ url }, answer) => (url.startsWith("/portal/calls/") ? url.slice("/portal/calls".length) : answer.writeHead(404).end() && undefined) });
  await join(await visitor(t, `${stripping}/portal/calls`));
});

test("a link for a guest leads to the address that the gateway was told", async (t) => {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/guests`, {
    method: "POST",
    headers: { authorization: `Bearer ${guest}`, "content-type": "application/json" },
    body: JSON.stringify({ displayName: "Grace", role: "Attendee" }),
  });
  const { url } = await answer.json();
  assert(url.startsWith(`${namedGateway}/#`), url);
});

test("behind TLS that the gateway does not know of", async (t) => {
  const at = await proxy(t, `http://127.0.0.1:${port}`, { tls: true });
  await join(await visitor(t, at, { ignoreHTTPSErrors: true }));
});

test("while the gateway is replaced, a page of one version whose files are asked of another is loaded again until it is whole", async (t) => {
  const missing = { "/assets/style-": 1, "/assets/app-": 2 };
  let pages = 0;
  const at = await proxy(t, gateway, {
    rule: ({ url }, answer) => {
      pages += Number(url === "/");
      const file = Object.keys(missing).find((prefix) => url.startsWith(prefix) && missing[prefix] >= pages);
      if (!file) return url;
      answer.writeHead(404).end();
    },
  });
  const page = await visitor(t, at);
  await page.getByText("Hello Connie").waitFor();
  assert.equal(pages, 3);
  assert.equal(page.url(), `${at}/`);
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).margin), "0px", "with its style");
});

/** A login at an address of its own. */
const FORM = "http://login.invalid/form";

/** A proxy that asks for a login, as `answer` says, of whoever has no cookie. */
function loginProxy(t, refuse) {
  return proxy(t, gateway, {
    rule: (asked, answer) => {
      if (asked.url === "/login") return void answer.writeHead(302, { location: "/", "set-cookie": "session=1; HttpOnly; Path=/" }).end();
      if (/\bsession=1\b/.test(asked.headers.cookie ?? "")) return asked.url;
      refuse(answer);
    },
  });
}

for (const [what, refuse] of [
  ["leads to its login", (answer) => answer.writeHead(302, { location: FORM }).end()],
  ["answers 401", (answer) => answer.writeHead(401, { "content-type": "text/html" }).end("<form></form>")],
  ["shows its form at once", (answer) => answer.writeHead(200, { "content-type": "text/html" }).end("<form></form>")],
]) {
  test(`behind a proxy that wants a login and ${what}`, async (t) => {
    const at = await loginProxy(t, refuse);
    const page = await visitor(t, at, { open: false, cookies: ["session"], leads: [FORM] });
    await page.goto(`${at}/login`);
    await page.goto(`${at}/#${invite}`);
    await join(page);
    await page.context().clearCookies();
    await controlOf(page, "leave").click();
    await page.getByRole("button", { name: "Join again" }).click();
    await page.getByRole("heading", { name: "You have to log in first" }).waitFor();
    await screenshot(page, "ended-login");
    await page.goto(`${at}/login`);
    await page.getByText("Hello Connie").waitFor();
    await join(page);
    await inCall(page);
  });
}
