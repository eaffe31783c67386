// The installation that the tests run against, and the process that runs it.

import assert from "node:assert/strict";
import { connect } from "node:net";

const { GATEWAY_URL, NAMED_GATEWAY_URL, LIVEKIT_URL, PAGE_BROWSER, CONTROLS, RESTARTED_CLASS } = process.env;
assert(GATEWAY_URL && PAGE_BROWSER, "these tests are run by `cargo test --test servers page::`, which brings up what they need");
export const gateway = GATEWAY_URL;
/** A gateway that was told a name and a path of its own, where a test has one. */
export const namedGateway = NAMED_GATEWAY_URL;
export const livekit = LIVEKIT_URL;
/** The class whose media server a test may restart, where it has one. */
export const restartedClass = RESTARTED_CLASS;

/** Has the process that runs the installation do something. */
export async function control(command) {
  const [host, port] = CONTROLS.split(":");
  const answer = await new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    let heard = "";
    socket.on("data", (data) => (heard += data)).on("end", () => resolve(heard.trim())).on("error", reject);
    socket.write(`${command}\n`);
  });
  assert.equal(answer, "done", command);
}
