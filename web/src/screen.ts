// One screen at a time: what is shown, the document's title, and where the focus goes.

import { silence, noticePlace } from "./announce";
import { el } from "./dom";
import { t } from "./messages";

export interface Screen {
  readonly element: HTMLElement;
  /** Ends what the screen does; it is not shown any more. */
  close?(): void;
}

let current: Screen | null = null;
const main = el("main", {});

/** Puts the page into the document. */
export function openPage(): void {
  document.getElementById("page")?.replaceChildren(main, noticePlace());
}

/** Shows a screen instead of the one before, and moves the focus to its heading, so that it is read. */
export function show<S extends Screen>(screen: S, title: string): S {
  current?.close?.();
  current = screen;
  silence();
  main.replaceChildren(screen.element);
  document.title = title === t("app.name") ? title : `${title} · ${t("app.name")}`;
  const heading = screen.element.querySelector<HTMLElement>("h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  scrollTo(0, 0);
  return screen;
}

/** A card with a heading, words, and what can be done. */
export function card(title: string, ...content: (Node | string)[]): Screen {
  return { element: el("div", { class: "centre" }, el("section", { class: "card" }, el("h1", {}, title), ...content)) };
}
