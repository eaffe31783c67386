// The join page: takes the invite, and starts.

import { announce } from "./announce";
import { App } from "./app";
import { confirm } from "./dialog";
import { gone } from "./gone";
import { type Opened, inviteOfTab, keepInvite, onFragment, takeFragment } from "./invite";
import { setLanguage, t } from "./messages";
import { openPage, show } from "./screen";

// First of all, so that nothing else ever sees the invite in the address.
const link = takeFragment();
// A link that lost its end must not lead into the call of the link before.
if (link) keepInvite(link.invite);
setLanguage();
openPage();

let app: App | null = null;
/** The link that this person is being asked about. */
let offered: Opened | null = null;

function begin(): void {
  app?.close();
  const invite = inviteOfTab();
  app = invite === null ? null : new App(invite);
  if (app) app.start();
  else show(gone("missing", () => undefined), t("gone.missing.title"));
}

/** Another link was opened in this tab, perhaps by another page: nobody is taken out of a call without being asked. */
async function open(link: Opened): Promise<void> {
  if (app?.engaged) {
    if (link.invite === null) return announce(t("gone.missing.title"));
    if (link.invite === inviteOfTab()) return;
    const asking = offered !== null;
    offered = link;
    if (asking) return;
    const agreed = await confirm(t("another.title"), t("another.text"), t("another.confirm"));
    link = offered;
    offered = null;
    if (!agreed) return;
  }
  keepInvite(link.invite);
  begin();
}

onFragment((link) => void open(link));
begin();
