// A dialog with a list that the gateway gives, and a verb for each of its entries.

import { openDialog } from "./dialog";
import { el, setText } from "./dom";
import { t } from "./messages";
import { failure } from "./moderation";

export interface ListDialog<T> {
  title: string;
  /** What the list is of. */
  text: string;
  /** Shown instead of an empty list. */
  none: string;
  load(): Promise<T[]>;
  /** An entry as list item; `changed` has the list loaded anew. */
  row(entry: T, changed: () => void): HTMLElement;
}

/** Shows a list, loaded anew whenever one of its verbs was used. */
export function showList<T>({ title, text, none, load, row }: ListDialog<T>): void {
  openDialog(title, () => {
    const status = el("p", { role: "status" }, t("list.loading"));
    const list = el("ul", { class: "people" });
    const reload = async () => {
      try {
        const entries = await load();
        list.replaceChildren(...entries.map((entry) => row(entry, () => void reload())));
        setText(status, entries.length === 0 ? none : "");
      } catch (error) {
        setText(status, failure(error));
      }
    };
    void reload();
    return [el("p", {}, text), status, list];
  });
}
