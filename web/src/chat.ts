// Messages between the people in the call. Nothing is kept: they live as long as this page shows the call.

import type { Room, TextStreamReader } from "livekit-client";
import { Allowance } from "./allowance";
import { el, newId, setText, theirs } from "./dom";
import { clockTime, t } from "./messages";
import { calledOf, nameOf } from "./names";

/** The topic that LiveKit's own clients use for chat. */
const TOPIC = "lk.chat";
/** Longest message that can be written here, and the longest that is shown. */
const LONGEST = 2000;
const LONGEST_SHOWN = 10_000;
/** Most messages that are kept. */
const MOST = 500;
/** How long messages are gathered before they are shown. */
const GATHER = 100;
/** What one person may write: so many messages at once, then so many a second. What is more is left out, or one could freeze all pages. */
const AT_ONCE = 10;
const PER_SECOND = 1;
/** How often it is said that something was left out. */
const LEFT_OUT_EVERY = 30;

interface Message {
  from: string;
  text: string;
  time: string;
  own: boolean;
}

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
  /** Those that have come and are not rendered yet. */
  private waiting: Message[] = [];
  private shown = false;
  private gathered = 0;
  private readonly allowed = new Allowance(AT_ONCE, PER_SECOND);
  private readonly mentions = new Allowance(1, 1 / LEFT_OUT_EVERY);

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
      const name = sender ? calledOf(sender) : identity;
      const allowed = this.allowed.take(identity, Date.now());
      if (!allowed && this.mentions.take(identity, Date.now())) this.add(name, t("chat.leftOut"), false);
      // Read in any case: what nobody reads is kept until somebody does.
      read(reader).then(
        (text) => {
          if (!allowed) return;
          this.add(name, text, false);
          if (!this.shown) this.received(name, text);
        },
        // Broken off.
        () => undefined,
      );
    });
  }

  /** Whether this person may write. */
  allow(writing: boolean): void {
    this.form.hidden = !writing;
    this.readOnly.hidden = writing;
  }

  /** Whether the chat is in sight. Nothing is rendered while it is not. */
  show(shown: boolean): void {
    this.shown = shown;
    if (!shown) return;
    this.render();
    this.log.scrollTop = this.log.scrollHeight;
  }

  close(): void {
    clearTimeout(this.gathered);
  }

  focus(): void {
    (this.form.hidden ? this.log : this.input).focus();
  }

  private async send(): Promise<void> {
    const text = this.input.value.trim();
    const me = this.room?.localParticipant;
    if (!text || !me) return;
    if (!this.allowed.take(me.identity, Date.now())) return setText(this.error, t("chat.tooFast"));
    setText(this.error, "");
    try {
      await me.sendText(text, { topic: TOPIC });
      this.input.value = "";
      this.add(t("call.you", { name: nameOf(me) }), text, true);
    } catch {
      setText(this.error, t("chat.failed"));
    }
  }

  private add(from: string, text: string, own: boolean): void {
    this.waiting.push({ from, text, time: clockTime(new Date()), own });
    if (this.waiting.length > MOST) this.waiting.shift();
    if (own) this.render();
    else if (this.shown && this.gathered === 0) {
      this.gathered = window.setTimeout(() => {
        this.gathered = 0;
        if (this.shown) this.render();
      }, GATHER);
    }
  }

  /** Shows what has come since. */
  private render(): void {
    const messages = this.waiting.splice(0);
    if (messages.length === 0) return;
    this.empty.hidden = true;
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    this.list.append(...messages.map(item));
    while (this.list.childElementCount > MOST) this.list.firstElementChild?.remove();
    if (atEnd || messages.some(({ own }) => own)) this.log.scrollTop = this.log.scrollHeight;
  }
}

function item({ from, text, time, own }: Message): HTMLElement {
  return el("li", { class: own ? "own" : "" }, el("p", { class: "from" }, theirs(from), " ", el("time", {}, time)), el("p", { class: "text", dir: "auto" }, text));
}

/** What is shown of a message. */
async function read(reader: TextStreamReader): Promise<string> {
  let text = "";
  for await (const part of reader) {
    if (text.length < LONGEST_SHOWN) text += part;
  }
  return text.slice(0, LONGEST_SHOWN);
}
