// The people whom Presenters have put out of the call, to be let in again one by one.

import type { Gateway, ListedRemoval } from "./api";
import { el, theirs } from "./dom";
import { showList } from "./listdialog";
import { t } from "./messages";
import { attempt } from "./moderation";

/** Shows who is kept out of the Room. */
export function showRemovals(gateway: Gateway): void {
  showList({
    title: t("removals.title"),
    text: t("removals.text"),
    none: t("removals.none"),
    load: () => gateway.removals(),
    row: (removal, changed) => row(gateway, removal, changed),
  });
}

function row(gateway: Gateway, removal: ListedRemoval, changed: () => void): HTMLElement {
  const name = removal.displayName;
  const readmit = async () => {
    await attempt(() => gateway.readmit(removal.identity), t("removals.readmitted", { name }));
    changed();
  };
  const button = el("button", { type: "button", "aria-label": t("removals.readmit", { name }), click: () => void readmit() }, t("removals.readmitShort"));
  return el(
    "li",
    { class: "person", "data-removed": removal.identity },
    el("div", { class: "who" }, el("span", { class: "person-name" }, theirs(name))),
    el("div", { class: "verbs" }, removal.canBeReadmitted && button),
  );
}
