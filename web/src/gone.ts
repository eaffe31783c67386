// After the call, or instead of it: why there is none, in words.

import { el } from "./dom";
import { type Key, t } from "./messages";
import { type Screen, card } from "./screen";

export type Reason = "over" | "suspended" | "revoked" | "removed" | "ended" | "elsewhere" | "left" | "invalid" | "missing" | "login" | "refused" | "media" | "away" | "client";

/** What can be done about it; nothing, or something else than joining again, has an entry. */
const ACTIONS: Partial<Record<Reason, Key | null>> = {
  over: null,
  suspended: null,
  missing: null,
  client: null,
  elsewhere: "gone.here",
  invalid: "gone.retry",
  revoked: "gone.retry",
  removed: "gone.retry",
  login: "gone.reload",
  refused: "gone.reload",
  media: "gone.retry",
};
/** What only a new page from the gateway can mend: it leads to a login, or speaks as the gateway does now. */
const RELOADED: readonly Reason[] = ["login", "refused"];

/** The screen for a reason; `again` starts anew. */
export function gone(reason: Reason, again: () => void, values: Record<string, string> = {}): Screen {
  const action = reason in ACTIONS ? ACTIONS[reason] : "gone.again";
  const button = action ? el("button", { class: "primary", type: "button", click: RELOADED.includes(reason) ? () => location.reload() : again }, t(action)) : "";
  const screen = card(t(`gone.${reason}.title`), el("p", { class: "lead" }, t(`gone.${reason}.text`, values)), button);
  screen.element.dataset["reason"] = reason;
  return screen;
}
