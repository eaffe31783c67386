// The people whom Presenters have added to the Room, in the call or not, to be withdrawn one by one.

import { announce } from "./announce";
import type { Gateway, ListedGuest } from "./api";
import { confirm, openDialog } from "./dialog";
import { el, setText, theirs } from "./dom";
import { t } from "./messages";
import { failure } from "./moderation";

/** Shows the guests of the Room. */
export function showGuests(gateway: Gateway): void {
  openDialog(t("guests.title"), () => {
    const status = el("p", { role: "status" }, t("guests.loading"));
    const list = el("ul", { class: "people" });
    const load = async () => {
      try {
        const guests = await gateway.guests();
        list.replaceChildren(...guests.map((guest) => row(gateway, guest, () => void load())));
        setText(status, guests.length === 0 ? t("guests.none") : "");
      } catch (error) {
        setText(status, failure(error));
      }
    };
    void load();
    return [el("p", {}, t("guests.text")), status, list];
  });
}

function row(gateway: Gateway, guest: ListedGuest, changed: () => void): HTMLElement {
  const name = guest.displayName;
  const withdraw = async () => {
    if (!(await confirm(t("guests.withdrawTitle", { name }), t("guests.withdrawText"), t("guests.withdrawShort")))) return;
    try {
      await gateway.withdrawGuest(guest.name);
      announce(t("guests.withdrawn", { name }));
    } catch (error) {
      announce(failure(error), "urgent");
    }
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
