// Elements without markup in strings: nothing that somebody else wrote is ever parsed as HTML.

type Value = string | number | boolean | null | undefined;
export type Child = Node | string | null | undefined | false;
type Attributes = Record<string, Value | ((event: never) => void)>;

/** An element; attributes that are functions become listeners, `class` and the rest attributes. */
export function el<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value as unknown as EventListener);
    else setAttribute(element, name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Sets an attribute, or takes it away when the value is nothing. */
export function setAttribute(element: Element, name: string, value: Value): void {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else {
    const text = value === true ? "" : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/** Sets the text of an element, without touching it when it is the same: screen readers would read it again. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Text for screen readers alone. */
export function unseen(text: string): HTMLSpanElement {
  return el("span", { class: "unseen" }, text);
}

/** Words that people chose, which may be of another direction than the page. */
export function theirs(text: string): HTMLElement {
  return el("bdi", {}, text);
}

let ids = 0;
/** A new id for an element. */
export function newId(name: string): string {
  ids += 1;
  return `${name}-${ids}`;
}
