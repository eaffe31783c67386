// Messages between the people in the call. Nothing is kept: they live as long as this page shows the call.

import type { Room } from "livekit-client";
import { el, newId, setText, theirs } from "./dom";
import { clockTime, t } from "./messages";
import { nameOf } from "./tiles";

/** The topic that LiveKit's own clients use for chat. */
const TOPIC = "lk.chat";
/** Longest message that can be written here, and the longest that is shown. */
const LONGEST = 2000;
const LONGEST_SHOWN = 10_000;
/** Most messages that are shown. */
const MOST = 500;

export class Chat {
  private readonly empty = el("p", { class: "hint" }, t("chat.empty"));
  private readonly list = el("ol", { class: "messages" });
  private readonly log = el("div", { class: "log", role: "log", "aria-label": t("chat.title"), tabindex: 0 }, this.list);
  private readonly input = el("textarea", { id: newId("chat"), rows: 2, maxlength: LONGEST, dir: "auto" });
  private readonly error = el("p", { class: "error", role: "alert" });
  private readonly form: HTMLFormElement;
  private readonly readOnly = el("p", { class: "hint", hidden: true }, t("chat.readOnly"));
  readonly element: HTMLElement;
  private room: Room | null = null;

  constructor(private readonly received: (name: string, text: string) => void) {
    const submit = (event: SubmitEvent) => {
      event.preventDefault();
      void this.send();
    };
    this.form = el(
      "form",
      { class: "chat-form", submit },
      el("label", { for: this.input.id }, t("chat.message")),
      this.input,
      this.error,
      el("button", { type: "submit", class: "primary" }, t("chat.send")),
    );
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.send();
    });
    this.element = el("div", { class: "panel-body chat" }, this.empty, this.log, this.readOnly, this.form);
  }

  /** Listens on a connection. */
  listen(room: Room): void {
    this.room = room;
    room.registerTextStreamHandler(TOPIC, (reader, { identity }) => {
      const sender = room.getParticipantByIdentity(identity);
      const name = sender ? nameOf(sender) : identity;
      reader.readAll().then(
        (text) => {
          const shown = text.slice(0, LONGEST_SHOWN);
          this.add(name, shown, false);
          this.received(name, shown);
        },
        // Longer than is taken, or broken off.
        () => undefined,
      );
    });
  }

  /** Whether this person may write. */
  allow(writing: boolean): void {
    this.form.hidden = !writing;
    this.readOnly.hidden = writing;
  }

  focus(): void {
    (this.form.hidden ? this.log : this.input).focus();
  }

  private async send(): Promise<void> {
    const text = this.input.value.trim();
    const me = this.room?.localParticipant;
    if (!text || !me) return;
    setText(this.error, "");
    try {
      await me.sendText(text, { topic: TOPIC });
      this.input.value = "";
      this.add(t("call.you", { name: nameOf(me) }), text, true);
    } catch {
      setText(this.error, t("chat.failed"));
    }
  }

  private add(name: string, text: string, own: boolean): void {
    this.empty.hidden = true;
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    const from = el("p", { class: "from" }, theirs(name), " ", el("time", {}, clockTime(new Date())));
    this.list.append(el("li", { class: own ? "own" : "" }, from, el("p", { class: "text", dir: "auto" }, text)));
    while (this.list.childElementCount > MOST) this.list.firstElementChild?.remove();
    if (atEnd || own) this.log.scrollTop = this.log.scrollHeight;
  }
}
