// What people are called, and by which way they came: a name alone says nothing, because whoever has a shared link may choose that of the host.

import type { Participant } from "livekit-client";
import { t } from "./messages";

/** How somebody came who is not on the Room's list. */
export type Origin = "link" | "guest";

/** By which way somebody came; nothing for people on the Room's list. The gateway gives the identity, and nobody chooses it. */
export function originOf({ identity }: Participant): Origin | null {
  return identity.startsWith("link.") ? "link" : identity.startsWith("guest-") ? "guest" : null;
}

/** The name that others read, where a mark beside it tells the origin. */
export function nameOf(participant: Participant): string {
  return participant.name || participant.identity;
}

/** The name with the origin, for sentences. */
export function calledOf(participant: Participant): string {
  const origin = originOf(participant);
  return origin ? t(`name.${origin}`, { name: nameOf(participant) }) : nameOf(participant);
}
