// What Presenters do for others: mute, remove, add, end for all. The gateway does it, and checks that they may.

import { announce } from "./announce";
import { type Gateway, Problem, ROLES, type Role } from "./api";
import { copyButton } from "./copybutton";
import { confirm, openDialog } from "./dialog";
import { el, newId, setText } from "./dom";
import { t } from "./messages";

/** Why a verb did not work, in words. */
export function failure(error: unknown): string {
  const kind = error instanceof Problem ? error.kind : "";
  switch (kind) {
    case "not-allowed":
    case "not-found":
    case "bad-request":
    case "too-many-requests":
    case "login":
      return t(`verb.${kind}`);
    default:
      return t("verb.other");
  }
}

/** Does what a verb says, and announces what came of it. */
export async function attempt(action: () => Promise<void>, done?: string): Promise<void> {
  try {
    await action();
    if (done !== undefined) announce(done);
  } catch (error) {
    announce(failure(error), "urgent");
  }
}

export class Moderation {
  constructor(
    private readonly gateway: Gateway,
    private readonly role: () => Role,
  ) {}

  async mute(identity: string, name: string): Promise<void> {
    await attempt(() => this.gateway.mute(identity), t("people.muted", { name }));
  }

  async remove(identity: string, name: string): Promise<void> {
    if (await confirm(t("people.removeTitle", { name }), t("people.removeText"), t("people.removeShort"))) {
      await attempt(() => this.gateway.remove(identity), t("people.removed", { name }));
    }
  }

  async end(): Promise<void> {
    if (await confirm(t("end.title"), t("end.text"), t("end.confirm"))) await attempt(() => this.gateway.end());
  }

  /** Asks for a name and a role, and shows the join link of the person that the gateway adds. */
  add(): void {
    openDialog(t("people.add"), (close) => {
      const name = el("input", { id: newId("guest"), type: "text", required: true, maxlength: 128, autocomplete: "off", autofocus: true });
      const role = el("select", { id: newId("role") });
      // No role above one's own.
      for (const choice of ROLES.slice(ROLES.indexOf(this.role()))) {
        role.append(el("option", { value: choice, selected: choice === "Attendee" }, t(`role.${choice}`)));
      }
      const error = el("p", { class: "error", role: "alert" });
      const button = el("button", { type: "submit", class: "primary" }, t("people.create"));
      const submit = async (event: SubmitEvent) => {
        event.preventDefault();
        setText(error, "");
        if (!name.value.trim()) {
          setText(error, t("lobby.nameMissing"));
          name.focus();
          return;
        }
        button.disabled = true;
        try {
          const guest = await this.gateway.addGuest(name.value.trim(), role.value as Role);
          const [first, ...others] = link(guest.displayName, guest.url, close);
          form.replaceWith(first!, ...others);
          first!.querySelector("input")?.focus();
        } catch (problem) {
          button.disabled = false;
          setText(error, failure(problem));
        }
      };
      const form = el(
        "form",
        { class: "dialog-form", novalidate: true, submit: (event: SubmitEvent) => void submit(event) },
        el("p", {}, t("people.addText")),
        el("div", { class: "field" }, el("label", { for: name.id }, t("people.name")), name),
        el("div", { class: "field" }, el("label", { for: role.id }, t("people.role")), role),
        error,
        el("div", { class: "choices" }, el("button", { type: "button", click: close }, t("dialog.cancel")), button),
      );
      return [form];
    });
  }
}

/** The join link of a person, to copy. */
function link(name: string, url: string, close: () => void): HTMLElement[] {
  const text = el("input", { id: newId("link"), type: "text", readonly: true, value: url, dir: "ltr" });
  const { button, told } = copyButton(text, { copy: t("people.copy"), copied: t("people.copied"), failed: t("people.copyFailed") });
  return [
    el("div", { class: "field" }, el("label", { for: text.id }, t("people.link", { name })), text),
    el("p", { class: "hint" }, t("people.linkText", { name })),
    told,
    el(
      "div",
      { class: "choices" },
      el("button", { type: "button", click: close }, t("dialog.close")),
      button,
    ),
  ];
}
