// Messages that come while the chat is not in sight: counted, and said, but never so often that nobody could follow.

import { announce } from "./announce";
import { count, t } from "./messages";

/** The shortest time between two announcements. */
const PAUSE = 3000;
const LONGEST_SAID = 80;

export class ChatNews {
  private unread = 0;
  private unsaid = 0;
  private last = "";
  private timer = 0;

  /** `show` shows the number of messages that nobody has seen. */
  constructor(private readonly show: (unread: string) => void) {}

  /** A message has come. */
  add(name: string, text: string): void {
    this.unread += 1;
    this.unsaid += 1;
    this.last = t("chat.new", { name, text: text.length > LONGEST_SAID ? `${text.slice(0, LONGEST_SAID)}…` : text });
    this.show(count("chat.unread", this.unread));
    if (this.timer === 0) this.say();
  }

  /** The chat is in sight. */
  seen(): void {
    this.unread = 0;
    this.unsaid = 0;
    this.show("");
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private say(): void {
    this.timer = 0;
    if (this.unsaid === 0) return;
    announce(this.unsaid === 1 ? this.last : count("chat.unread", this.unsaid));
    this.unsaid = 0;
    this.timer = window.setTimeout(() => this.say(), PAUSE);
  }
}
