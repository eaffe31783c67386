// The invite: it comes in the fragment of a join link, and from then on lives in this tab alone.

const KEY = "roomkeeper.invite";
/** What an invite can look like; everything else in a fragment is none. */
const SHAPE = /^[A-Za-z0-9._-]{16,4096}$/;

let remembered: string | null | undefined;

/** What a link that was opened holds: an invite, or `null` where its fragment is none. */
export type Opened = { readonly invite: string | null };

/** Takes the fragment out of the address bar, and gives what it holds; nothing where there is none. */
export function takeFragment(): Opened | null {
  if (location.hash === "" && !location.href.endsWith("#")) return null;
  const fragment = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  return { invite: SHAPE.test(fragment) ? fragment : null };
}

/** Calls back with what each further link holds that is opened in this tab. */
export function onFragment(opened: (link: Opened) => void): void {
  const look = () => {
    const link = takeFragment();
    if (link) opened(link);
  };
  addEventListener("hashchange", look);
  // To Firefox nothing has changed in a fragment that is empty, as that of a link that ends with its `#`.
  (window as Partial<Pick<Window, "navigation">>).navigation?.addEventListener("currententrychange", look);
}

/** The invite of this tab. */
export function inviteOfTab(): string | null {
  if (remembered === undefined) remembered = attempt(() => sessionStorage.getItem(KEY)) ?? null;
  return remembered;
}

/** Keeps an invite for reloads of this tab, or forgets the one that it had. */
export function keepInvite(invite: string | null): void {
  remembered = invite;
  // A browser may forbid storage; then a reload needs the link again.
  attempt(() => (invite === null ? sessionStorage.removeItem(KEY) : sessionStorage.setItem(KEY, invite)));
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
