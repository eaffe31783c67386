// Who somebody with a shared link was before: the gateway gives them an invite of their own, and by that they come back after a
// reload as the same person, in the same place. It lives in this tab alone, as the link does.

const KEY = "roomkeeper.visitor";

export interface Visitor {
  /** The link that they came by. */
  link: string;
  /** Their own invite. */
  invite: string;
  /** The name that they chose. */
  displayName: string;
}

/** The visitor who came by this link before, if there is one. */
export function recallVisitor(link: string): Visitor | null {
  try {
    const visitor = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Partial<Visitor> | null;
    const { invite, displayName } = visitor ?? {};
    return visitor?.link === link && typeof invite === "string" && typeof displayName === "string" ? { link, invite, displayName } : null;
  } catch {
    return null;
  }
}

/** Remembers a visitor for reloads of this tab, or forgets the one before. */
export function rememberVisitor(visitor: Visitor | null): void {
  try {
    if (visitor) sessionStorage.setItem(KEY, JSON.stringify(visitor));
    else sessionStorage.removeItem(KEY);
  } catch {
    // A browser may forbid storage; then a reload makes somebody new.
  }
}
