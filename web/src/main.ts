// The join page: takes the invite, and starts.

import { App } from "./app";
import { gone } from "./gone";
import { onNewInvite, takeInvite } from "./invite";
import { setLanguage, t } from "./messages";
import { openPage, show } from "./screen";

// First of all, so that nothing else ever sees the invite in the address.
const invite = takeInvite();
setLanguage();
openPage();

let app: App | null = null;

function begin(invite: string): void {
  app?.close();
  app = new App(invite);
  app.start();
}

onNewInvite(begin);
if (invite === null) show(gone("missing", () => undefined), t("gone.missing.title"));
else begin(invite);
