// How sound and pictures get from here to the media server and back, as the browser measures it.

/** Of what the browser tells, what is looked at. */
interface Stat {
  id: string;
  type: string;
  state?: string;
  nominated?: boolean;
  requestsSent?: number;
  localCandidateId?: string;
  remoteCandidateId?: string;
  currentRoundTripTime?: number;
  candidateType?: string;
  protocol?: string;
  relayProtocol?: string;
  address?: string;
  port?: number;
  packetsLost?: number;
  packetsReceived?: number;
  packetsSent?: number;
}

/** One connection's reports. */
export type Report = readonly Stat[];

export interface Measured {
  /** By which protocol, and whether a relay is between. */
  way: { protocol: string; relay: boolean } | null;
  /** Where the media server, or what is before it, is: such as `198.51.100.7:7882`. */
  place: string | null;
  /** To the media server and back, in milliseconds. */
  roundTrip: number | null;
  /** Shares of packets, from 0 to 1. */
  lostHere: number | null;
  lostThere: number | null;
}

const found = (report: Report, wanted: string | undefined) => report.find(({ id }) => id === wanted);

/** A candidate as an address. Browsers keep the address of what they only met on the way to themselves. */
const place = ({ address, port }: Stat) => `${address?.includes(":") ? `[${address}]` : address || "?"}:${port}`;

/** What the reports of all connections of a call say together. */
export function measure(reports: readonly Report[]): Measured {
  const used = reports.flatMap((report) => {
    const pair = report.find(({ type, nominated, state }) => type === "candidate-pair" && nominated === true && state === "succeeded");
    return pair ? [{ report, pair }] : [];
  });
  const [first] = used;
  const local = first && found(first.report, first.pair.localCandidateId);
  const remotes = used.flatMap(({ report, pair }) => found(report, pair.remoteCandidateId) ?? []).filter(({ port }) => port);
  const remote = remotes.find(({ address }) => address) ?? remotes[0];
  const trips = used.flatMap(({ pair }) => (pair.currentRoundTripTime === undefined ? [] : [pair.currentRoundTripTime]));
  const all = reports.flat();
  const sum = (type: string, field: "packetsLost" | "packetsReceived" | "packetsSent") =>
    all.filter((stat) => stat.type === type).reduce((total, stat) => total + (stat[field] ?? 0), 0);
  const share = (lost: number, whole: number) => (whole > 0 ? Math.min(1, Math.max(0, lost) / whole) : null);
  const lostHere = sum("inbound-rtp", "packetsLost");
  return {
    way: local ? { protocol: (local.relayProtocol ?? local.protocol ?? "").toUpperCase(), relay: isRelayed(local) } : null,
    place: remote ? place(remote) : null,
    roundTrip: trips.length > 0 ? Math.round(Math.max(...trips) * 1000) : null,
    lostHere: share(lostHere, lostHere + sum("inbound-rtp", "packetsReceived")),
    lostThere: share(sum("remote-inbound-rtp", "packetsLost"), sum("outbound-rtp", "packetsSent")),
  };
}

/** The places that the media server named for media, such as `UDP 7882 (198.51.100.7)`. */
export function placesNamed(reports: readonly Report[]): string[] {
  // What was only met on the way is no place that the media server named.
  const named = reports.flat().filter(({ type, candidateType, port }) => type === "remote-candidate" && candidateType !== "prflx" && port);
  const places = named.map(({ protocol, port, address }) => `${protocol?.toUpperCase()} ${port}${address ? ` (${address})` : ""}`);
  return [...new Set(places)].sort();
}

/** What is known of one way: it was not offered, or not tried because another one was good, or it was tried. */
export type Tried = "unoffered" | "untried" | "unanswered" | "works";
export type Ways = Record<"udp" | "tcp" | "turn", Tried>;

/**
 * What is known of each way by all that was ever reported of an attempt: browsers forget pairs that they need no more. `offered` are the
 * protocols of the places that the media server named, `relays` is whether there is a relay (TURN), of which it is known that it takes this
 * person.
 */
export function waysTried(reports: readonly Report[], offered: readonly string[], relays: boolean): Ways {
  const states = (protocol: string) =>
    reports.flatMap((report) =>
      report.flatMap(({ type, state, requestsSent, localCandidateId, remoteCandidateId }) => {
        if (type !== "candidate-pair" || found(report, remoteCandidateId)?.protocol !== protocol) return [];
        // By a relay is another way, whatever the relay speaks with the media server.
        if (isRelayed(found(report, localCandidateId))) return [];
        return state === "succeeded" ? "works" : requestsSent ? "unanswered" : "untried";
      }),
    );
  const relayed = reports.flat().some((stat) => stat.type === "local-candidate" && isRelayed(stat));
  const by = { udp: states("udp"), tcp: states("tcp") };
  const one = relayed || by.udp.includes("works") || by.tcp.includes("works");
  const tried = (protocol: "udp" | "tcp"): Tried => {
    if (!offered.includes(protocol)) return "unoffered";
    // Where no way is good, nothing else was a reason not to try.
    return (["works", "unanswered"] as const).find((state) => by[protocol].includes(state)) ?? (one ? "untried" : "unanswered");
  };
  return { udp: tried("udp"), tcp: tried("tcp"), turn: relayed ? "works" : relays ? "unanswered" : "unoffered" };
}

function isRelayed(local: Stat | undefined): boolean {
  return local?.relayProtocol !== undefined || local?.candidateType === "relay";
}
