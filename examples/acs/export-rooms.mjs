// Prints a Room of Roomkeeper for each room of an Azure Communication Services resource that is not over. It only reads.
// Usage: ACS_ENDPOINT=https://NAME.communication.azure.com ACS_ACCESS_KEY=KEY node export-rooms.mjs [--class NAME] > rooms.yaml
import { createHash, createHmac } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";

const API = "api-version=2025-03-13";
const ROLES = ["Presenter", "Collaborator", "Attendee", "Consumer"];
/** How long one answer may take, in milliseconds. */
const PATIENCE = 30_000;
/** How often something is asked for that the service had no time for. */
const ATTEMPTS = 5;

/** What whoever runs this can do something about. */
class Fault extends Error {}

/** Something about a room that its manifest does not say. Not on stdout, which is for manifests. */
const note = (room, words) => process.stderr.write(`# room ${room.id}: ${words}\n`);

function settings() {
  let options;
  try {
    options = parseArgs({ options: { class: { type: "string" } } }).values;
  } catch (error) {
    throw new Fault(`${error.message}; usage: node export-rooms.mjs [--class NAME]`);
  }
  if (options.class !== undefined && !/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(options.class)) throw new Fault("--class: this is no name of a RoomClass");
  const { ACS_ENDPOINT: address = "", ACS_ACCESS_KEY: secret = "" } = process.env;
  const endpoint = URL.canParse(address) ? new URL(address) : null;
  if (!endpoint || !/^https?:$/.test(endpoint.protocol) || endpoint.href !== `${endpoint.origin}/`) {
    throw new Fault("ACS_ENDPOINT: it must be the address of the resource, such as https://contoso.europe.communication.azure.com");
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(secret)) throw new Fault("ACS_ACCESS_KEY: it must be one of the two keys of the resource, which are base64");
  return { endpoint, key: Buffer.from(secret, "base64"), roomClass: options.class };
}

const base64 = (text) => createHash("sha256").update(text).digest("base64");

/** What is at an address of the resource; nothing where it does not exist. */
async function get({ endpoint, key }, url) {
  for (let attempt = 1; ; attempt += 1) {
    const [date, digest] = [new Date().toUTCString(), base64("")];
    const signed = `GET\n${url.pathname}${url.search}\n${date};${url.host};${digest}`;
    const signature = createHmac("sha256", key).update(signed).digest("base64");
    const authorization = `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`;
    const headers = { "x-ms-date": date, "x-ms-content-sha256": digest, authorization };
    let answer;
    let body;
    try {
      answer = await fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });
      body = await answer.text();
    } catch (error) {
      throw new Fault(`ACS_ENDPOINT: ${endpoint.host} does not answer (${error.cause?.code ?? error.name}): check the name, and the way there`);
    }
    const { status } = answer;
    if (status === 200) return parse(endpoint, body);
    if (status === 404) return null;
    if (status === 401) throw new Fault(`ACS_ACCESS_KEY: ${endpoint.host} refuses the key (401): check that it is one of this resource, and the clock of this machine`);
    if (status === 403) throw new Fault(`${endpoint.host} refuses access (403): check which networks the resource is open to`);
    if ((status !== 429 && status < 500) || attempt === ATTEMPTS) {
      const code = answer.headers.get("x-ms-error-code");
      throw new Fault(`${endpoint.host} answers ${status}${code ? ` ${code}` : ""}: check ACS_ENDPOINT, or try again later`);
    }
    await pause(1000 * (Number(answer.headers.get("retry-after")) || attempt));
  }
}

function parse(endpoint, body) {
  try {
    return JSON.parse(body);
  } catch {
    throw new Fault(`ACS_ENDPOINT: ${endpoint.host} answers something that is not JSON: check that it is an Azure Communication Services resource`);
  }
}

/** All entries of a list; nothing where it does not exist. */
async function list(resource, path) {
  const entries = [];
  for (let next = `${path}?${API}`; next; ) {
    const url = new URL(next, resource.endpoint);
    // No other place is sent what the key signs.
    if (url.origin !== resource.endpoint.origin) throw new Fault(`ACS_ENDPOINT: ${resource.endpoint.host} says to go on at ${url.host}: check the address`);
    const page = await get(resource, url);
    if (page === null) return null;
    if (!Array.isArray(page.value)) throw new Fault(`ACS_ENDPOINT: ${resource.endpoint.host} has no such list: check that it is an Azure Communication Services resource`);
    entries.push(...page.value);
    next = page.nextLink;
  }
  return entries;
}

/** A moment to the second, as people write it. */
const moment = (text) => new Date(text).toISOString().replace(/\.\d+Z$/, "Z");

/** A name that follows from the id alone, so that it is the same in the next export; 64 bits, so that nobody in a room shares it. */
const personName = (rawId) => `person-${createHash("sha256").update(rawId).digest("hex").slice(0, 16)}`;

function manifest(room, participants, roomClass) {
  const lines = ["---", "apiVersion: roomkeeper.io/v1alpha1", "kind: Room", "metadata:", `  name: acs-${room.id}`, "spec:"];
  if (roomClass !== undefined) lines.push(`  roomClassName: ${JSON.stringify(roomClass)}`);
  lines.push(`  validFrom: "${moment(room.validFrom)}"`, `  validUntil: "${moment(room.validUntil)}"`);
  if (room.pstnDialOutEnabled) lines.push("  pstnDialOutEnabled: true");
  if (participants.length > 0) lines.push("  participants:");
  for (const { rawId, role } of participants) lines.push(`    - name: ${personName(rawId)} # ${JSON.stringify(rawId)}`, `      role: ${role}`);
  return `${lines.join("\n")}\n`;
}

async function main() {
  const resource = settings();
  const rooms = await list(resource, "/rooms");
  if (rooms === null) throw new Fault(`ACS_ENDPOINT: ${resource.endpoint.host} has no rooms to list (404): check that it is an Azure Communication Services resource`);
  for (const room of rooms) {
    if (Date.parse(room.validUntil) <= Date.now()) {
      note(room, `left out, over since ${moment(room.validUntil)}`);
      continue;
    }
    const everybody = await list(resource, `/rooms/${room.id}/participants`);
    if (everybody === null) {
      note(room, "left out, it was deleted just now");
      continue;
    }
    const participants = everybody.filter(({ role }) => ROLES.includes(role));
    for (const { rawId, role } of everybody) if (!ROLES.includes(role)) note(room, `without ${rawId}, as Roomkeeper has no role ${role}`);
    process.stdout.write(manifest(room, participants, resource.roomClass));
  }
}

main().catch((error) => {
  if (!(error instanceof Fault)) throw error;
  process.stderr.write(`export-rooms: ${error.message}\n`);
  // Not by `exit`, which would cut off what is not written yet.
  process.exitCode = 1;
});
