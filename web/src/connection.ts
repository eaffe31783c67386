// How sound and pictures get from here to the media server and back, as the browser measures it.

/** Of what the browser tells, what is looked at. */
interface Stat {
  id: string;
  type: string;
  state?: string;
  nominated?: boolean;
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

/** What the reports of all connections of a call say together. */
export function measure(reports: readonly Report[]): Measured {
  const used = reports.flatMap((report) => {
    const pair = report.find(({ type, nominated, state }) => type === "candidate-pair" && nominated === true && state === "succeeded");
    return pair ? [{ report, pair }] : [];
  });
  const found = (report: Report, wanted: string | undefined) => report.find(({ id }) => id === wanted);
  const [first] = used;
  const local = first && found(first.report, first.pair.localCandidateId);
  const remote = first && found(first.report, first.pair.remoteCandidateId);
  const relay = local?.relayProtocol !== undefined || local?.candidateType === "relay";
  const trips = used.flatMap(({ pair }) => (pair.currentRoundTripTime === undefined ? [] : [pair.currentRoundTripTime]));
  const all = reports.flat();
  const sum = (type: string, field: "packetsLost" | "packetsReceived" | "packetsSent") =>
    all.filter((stat) => stat.type === type).reduce((total, stat) => total + (stat[field] ?? 0), 0);
  const share = (lost: number, whole: number) => (whole > 0 ? Math.min(1, Math.max(0, lost) / whole) : null);
  const lostHere = sum("inbound-rtp", "packetsLost");
  return {
    way: local ? { protocol: (local.relayProtocol ?? local.protocol ?? "").toUpperCase(), relay } : null,
    place: remote?.address && remote.port ? `${remote.address.includes(":") ? `[${remote.address}]` : remote.address}:${remote.port}` : null,
    roundTrip: trips.length > 0 ? Math.round(Math.max(...trips) * 1000) : null,
    lostHere: share(lostHere, lostHere + sum("inbound-rtp", "packetsReceived")),
    lostThere: share(sum("remote-inbound-rtp", "packetsLost"), sum("outbound-rtp", "packetsSent")),
  };
}
