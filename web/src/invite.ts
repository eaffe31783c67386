// The invite: it comes in the fragment of a join link, and from then on lives in this tab alone.

const KEY = "roomkeeper.invite";
/** What an invite can look like; everything else in a fragment is none. */
const SHAPE = /^[A-Za-z0-9._-]{16,4096}$/;

let remembered: string | null = null;

/** Takes the invite out of the address bar, if there is one, and remembers it for reloads of this tab. */
export function takeInvite(): string | null {
  const fragment = location.hash.slice(1);
  if (location.hash !== "" || location.href.endsWith("#")) {
    history.replaceState(null, "", location.pathname);
  }
  if (SHAPE.test(fragment)) {
    remembered = fragment;
    // A browser may forbid storage; then a reload needs the link again.
    attempt(() => sessionStorage.setItem(KEY, fragment));
  }
  return remembered ?? attempt(() => sessionStorage.getItem(KEY)) ?? null;
}

/** Calls back with each further invite that somebody opens in this tab. */
export function onNewInvite(changed: (invite: string) => void): void {
  addEventListener("hashchange", () => {
    if (location.hash.length <= 1) return;
    const before = takeInviteBefore();
    const invite = takeInvite();
    if (invite !== null && invite !== before) changed(invite);
  });
}

function takeInviteBefore(): string | null {
  return remembered ?? attempt(() => sessionStorage.getItem(KEY)) ?? null;
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
