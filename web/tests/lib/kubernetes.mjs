// Rooms, as their owners make and change them: requests to the API server with all rights.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { eventually } from "./eventually.mjs";

const kubeconfig = JSON.parse(readFileSync(process.env.KUBECONFIG, "utf8"));
const { server, "certificate-authority": authority } = kubeconfig.clusters[0].cluster;
const { token } = kubeconfig.users[0].user;
const agent = new Agent({ ca: readFileSync(authority), keepAlive: true });

const CALLS = "/apis/roomkeeper.io/v1alpha1/namespaces";
const MERGE = "application/merge-patch+json";

/** Sends a request to the API server, and gives the object of the answer. */
async function ask(method, path, body, type = "application/json") {
  const { status, text } = await new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: "application/json", "content-type": type };
    const sent = request(server + path, { method, agent, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (data) => (text += data)).on("end", () => resolve({ status: answer.statusCode, text })).on("error", reject);
    });
    sent.on("error", reject).end(body && JSON.stringify(body));
  });
  assert(status < 300, `${method} ${path}: ${status} ${text}`);
  return JSON.parse(text);
}

let namespace;
let made = 0;

/** A class on Azure Communication Services, whose endpoint does not answer; its name. */
export async function makeAzureClass() {
  // That of discarding, on which nobody listens.
  const backend = { azureCommunicationServices: { endpoint: "http://127.0.0.1:9", credentialsSecretRef: { name: "azure" } } };
  const spec = { apiVersion: "roomkeeper.io/v1alpha1", kind: "RoomClass", metadata: { generateName: "azure-" }, spec: { backend } };
  return (await ask("POST", "/apis/roomkeeper.io/v1alpha1/roomclasses", spec)).metadata.name;
}

/** A Room with this spec, once its invites are there, and once it is open if it is to be. */
export async function makeRoom(spec) {
  namespace ??= ask("POST", "/api/v1/namespaces", { metadata: { generateName: "page-" } }).then(({ metadata }) => metadata.name);
  made += 1;
  const room = new Room(`room-${made}`, await namespace);
  await room.create({ displayName: "Quarterly review", ...spec });
  return room;
}

class Room {
  /** Join links by the name of the Secret that holds them. */
  #links;
  #rooms;

  constructor(name, namespace) {
    this.name = name;
    this.namespace = namespace;
    this.#rooms = `${CALLS}/${namespace}/rooms`;
  }

  async create(spec) {
    await ask("POST", this.#rooms, { apiVersion: "roomkeeper.io/v1alpha1", kind: "Room", metadata: { name: this.name }, spec });
    await eventually(`${this.name} has its invites`, async () => {
      const { status } = await this.#object();
      const issued = status?.conditions?.some(({ type, status }) => type === "InvitesReady" && status === "True");
      return issued && (Date.parse(status.validFrom) > Date.now() || status.phase === "Open");
    });
    const selector = encodeURIComponent(`roomkeeper.io/room=${this.name}`);
    const { items } = await ask("GET", `/api/v1/namespaces/${this.namespace}/secrets?labelSelector=${selector}`);
    this.#links = new Map(items.map(({ metadata, data }) => [metadata.name, Buffer.from(data.url, "base64").toString()]));
  }

  async edit(spec) {
    await ask("PATCH", `${this.#rooms}/${this.name}`, { spec }, MERGE);
  }

  async delete() {
    await ask("DELETE", `${this.#rooms}/${this.name}`);
  }

  #object() {
    return ask("GET", `${this.#rooms}/${this.name}`);
  }

  /** The join link of a person, or the shared one for `null`. */
  link(participant) {
    const secret = participant === null ? `${this.name}-link` : `${this.name}-invite-${participant}`;
    const link = this.#links.get(secret);
    assert(link, `there is no Secret ${secret} among ${[...this.#links.keys()]}`);
    return link;
  }
}
