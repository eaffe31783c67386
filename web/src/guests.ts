// The people whom Presenters have added to the Room, in the call or not, to be withdrawn one by one.

import type { Gateway, ListedGuest } from "./api";
import { confirm } from "./dialog";
import { el, theirs } from "./dom";
import { showList } from "./listdialog";
import { t } from "./messages";
import { attempt } from "./moderation";

/** Shows the guests of the Room. */
export function showGuests(gateway: Gateway): void {
  showList({
    title: t("guests.title"),
    text: t("guests.text"),
    none: t("guests.none"),
    load: () => gateway.guests(),
    row: (guest, changed) => row(gateway, guest, changed),
  });
}

function row(gateway: Gateway, guest: ListedGuest, changed: () => void): HTMLElement {
  const name = guest.displayName;
  const withdraw = async () => {
    if (!(await confirm(t("guests.withdrawTitle", { name }), t("guests.withdrawText"), t("guests.withdrawShort")))) return;
    await attempt(() => gateway.withdrawGuest(guest.name), t("guests.withdrawn", { name }));
    changed();
  };
  const button = el("button", { type: "button", "aria-label": t("guests.withdraw", { name }), click: () => void withdraw() }, t("guests.withdrawShort"));
  return el(
    "li",
    { class: "person", "data-guest": guest.name },
    el("div", { class: "who" }, el("span", { class: "person-name" }, theirs(name)), el("span", { class: "person-role" }, t(`role.${guest.role}`))),
    el("div", { class: "verbs" }, guest.canBeWithdrawn && button),
  );
}
