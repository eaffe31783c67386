// Dialogs. The browser's own: they keep the focus inside, close with Escape, and give the focus back.

import { noticePlace } from "./announce";
import { el, newId } from "./dom";
import { icon } from "./icons";
import { t } from "./messages";

/** Opens a dialog; `fill` gets a function that closes it. */
export function openDialog(title: string, fill: (close: () => void) => Node[], closed: () => void = () => undefined): HTMLDialogElement {
  const heading = el("h2", { id: newId("dialog") }, title);
  const dialog = el("dialog", { "aria-labelledby": heading.id });
  const close = () => dialog.close();
  dialog.addEventListener("close", () => {
    document.getElementById("page")?.append(noticePlace());
    dialog.remove();
    closed();
  });
  const cross = el("button", { type: "button", class: "plain", "aria-label": t("dialog.close"), click: close }, icon("close"));
  dialog.append(el("header", {}, heading, cross), ...fill(close));
  // What is outside of an open dialog is neither seen nor read, and the end of the call may be announced meanwhile.
  dialog.append(noticePlace());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks before something that cannot be taken back. */
export function confirm(title: string, text: string, label: string): Promise<boolean> {
  return new Promise((resolve) => {
    let agreed = false;
    openDialog(
      title,
      (close) => {
        const agree = () => {
          agreed = true;
          close();
        };
        // The harmless choice comes first, and has the focus.
        return [
          el("p", {}, text),
          el(
            "div",
            { class: "choices" },
            el("button", { type: "button", autofocus: true, click: close }, t("dialog.cancel")),
            el("button", { type: "button", class: "danger", click: agree }, label),
          ),
        ];
      },
      () => resolve(agreed),
    );
  });
}

/** Closes what is open, when the screen below it goes. */
export function closeDialogs(): void {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}
