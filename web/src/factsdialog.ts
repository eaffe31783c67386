// A dialog with facts of a connection, and all of them as text to copy for whoever looks after the calls.

import { copyButton } from "./copybutton";
import { openDialog } from "./dialog";
import { el, newId, setText } from "./dom";
import { t } from "./messages";

export class FactsDialog {
  private readonly lead = el("p", { role: "status", hidden: true });
  private readonly list = el("dl", { class: "facts" });
  private readonly values = new Map<string, HTMLElement>();
  private readonly text = el("textarea", { id: newId("details"), readonly: true, rows: 5, dir: "ltr" });

  constructor(closed: () => void) {
    const { text } = this;
    const { button, told } = copyButton(text, { copy: t("connection.copy"), copied: t("connection.copied"), failed: t("connection.copyFailed") });
    openDialog(
      t("connection.title"),
      (close) => [
        this.lead,
        this.list,
        el("div", { class: "field" }, el("label", { for: text.id }, t("connection.details")), text),
        el("p", { class: "hint" }, t("connection.detailsText")),
        told,
        el("div", { class: "choices" }, el("button", { type: "button", click: close }, t("dialog.close")), button),
      ],
      closed,
    );
  }

  /** Says in a sentence what the facts come to. */
  say(sentence: string): void {
    this.lead.hidden = false;
    setText(this.lead, sentence);
  }

  /** Shows facts by their names, and all of it as text. */
  show(facts: Record<string, string>, details: string): void {
    for (const [name, fact] of Object.entries(facts)) {
      const value = this.values.get(name) ?? el("dd");
      if (!this.values.has(name)) this.list.append(el("div", {}, el("dt", {}, name), value));
      this.values.set(name, value);
      setText(value, fact);
    }
    // Whoever is about to copy it keeps what they see.
    if (document.activeElement !== this.text) this.text.value = details;
  }
}
