// All words of the page, in the first of the visitor's languages that there is a file for, and the forms of times and numbers.

import de from "./messages/de.json";
import en from "./messages/en.json";

export type Key = keyof typeof en;
type Messages = Record<Key, string>;

/** The languages there are. The first is for visitors who want none of them. */
const LANGUAGES: readonly { tag: string; direction: "ltr" | "rtl"; messages: Messages }[] = [
  { tag: "en", direction: "ltr", messages: en },
  { tag: "de", direction: "ltr", messages: de },
];

const base = (tag: string) => tag.toLowerCase().split("-")[0];
const wanted = navigator.languages.find((tag) => LANGUAGES.some((language) => language.tag === base(tag)));
const language = LANGUAGES.find((language) => wanted !== undefined && language.tag === base(wanted)) ?? LANGUAGES[0]!;
/** The visitor's own tag: "en-GB" writes dates otherwise than "en-US". */
const locale = wanted ?? language.tag;
const plurals = new Intl.PluralRules(locale);

/** Tells the document its language and direction. */
export function setLanguage(): void {
  document.documentElement.lang = language.tag;
  document.documentElement.dir = language.direction;
}

/** A message with its `{places}` filled. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return language.messages[key].replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

/** The message for a count, from the keys `<stem>.one` and `<stem>.other`. */
export function count(stem: "people.count" | "chat.unread", number: number): string {
  const form = plurals.select(number) === "one" ? "one" : "other";
  return t(`${stem}.${form}`, { count: new Intl.NumberFormat(locale).format(number) });
}

/** A share, from 0 to 1. */
export function percent(share: number): string {
  return new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(share);
}

/** From when to when, in the visitor's own time zone. */
export function period(from: Date, until: Date): string {
  const day = { weekday: "long", day: "numeric", month: "long", year: "numeric" } as const;
  const time = { hour: "numeric", minute: "2-digit", timeZoneName: "short" } as const;
  return new Intl.DateTimeFormat(locale, { ...day, ...time }).formatRange(from, until);
}

/** A time of day. */
export function clockTime(moment: Date): string {
  return new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(moment);
}

/** Things one after the other, all of which are meant. */
export function list(things: readonly string[]): string {
  return new Intl.ListFormat(locale).format(things);
}

const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]] as const;

/** A span in its two largest units, such as "1 hour, 5 minutes". */
export function span(milliseconds: number, least: "second" | "minute" = "second"): string {
  let seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  if (least === "minute") seconds = Math.ceil(seconds / 60) * 60;
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const number = Math.floor(seconds / size);
    seconds -= number * size;
    if (number > 0 || (unit === least && parts.length === 0)) {
      parts.push(new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(number));
    } else if (parts.length > 0) break;
    if (parts.length === 2 || unit === least) break;
  }
  return new Intl.ListFormat(locale, { style: "narrow", type: "unit" }).format(parts);
}
