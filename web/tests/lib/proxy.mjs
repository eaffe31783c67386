// What may stand between a browser and the gateway.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { gateway } from "./installation.mjs";

/**
 * Passes requests and WebSockets on to `target`, and gives the proxy's own address. `rule` may change the path of a request, or
 * answer it itself and give nothing.
 */
export async function proxy(t, target, { rule = ({ url }) => url, tls = false } = {}) {
  const { hostname, port } = new URL(target);
  const server = tls ? createTlsServer(selfSigned()) : createServer();
  const sockets = new Set();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => undefined)));
  server.on("request", (asked, answer) => {
    const url = rule(asked, answer);
    if (url === undefined) return;
    const passed = request({ hostname, port, path: url, method: asked.method, headers: asked.headers }, (given) => {
      answer.writeHead(given.statusCode, given.headers);
      given.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  });
  server.on("upgrade", (asked, socket, head) => {
    const refuse = { writeHead: () => refuse, end: () => socket.destroy() };
    const url = rule(asked, refuse);
    if (url === undefined) return;
    const passed = connect(Number(port), hostname, () => {
      const headers = asked.rawHeaders.reduce((text, value, at) => text + (at % 2 === 0 ? `${value}: ` : `${value}\r\n`), "");
      passed.write(`${asked.method} ${url} HTTP/1.1\r\n${headers}\r\n`);
      passed.write(head);
      passed.pipe(socket);
      socket.pipe(passed);
    });
    sockets.add(passed.on("error", () => socket.destroy()));
    socket.on("error", () => passed.destroy());
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `${tls ? "https" : "http"}://127.0.0.1:${server.address().port}`;
}

/**
 * A way to the gateway that can be broken: `at` is its address. Of browsers alone that are told to be offline, Firefox keeps the connections
 * that it has.
 */
export async function breakable(t) {
  const used = new Set();
  let broken = false;
  const rule = ({ socket, url }) => {
    used.add(socket);
    if (!broken) return url;
    socket.destroy();
  };
  const at = await proxy(t, gateway, { rule });
  const change = (page, now) => {
    broken = now;
    if (broken) for (const socket of used) socket.destroy();
    return page.context().setOffline(broken);
  };
  return { at, break: (page) => change(page, true), mend: (page) => change(page, false) };
}

/** A certificate that nobody trusts, and its key. */
function selfSigned() {
  const folder = mkdtempSync(path.join(tmpdir(), "page-tls-"));
  try {
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder, name));
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", key, "-out", cert, ...subject], { stdio: "pipe" });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
