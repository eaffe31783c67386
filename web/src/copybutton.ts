// Copying what stands in a field.

import { el, setText } from "./dom";

interface Words {
  copy: string;
  copied: string;
  failed: string;
}

/** A button that copies what a field shows, and the place where it says whether that worked. */
export function copyButton(field: HTMLInputElement | HTMLTextAreaElement, words: Words): { button: HTMLElement; told: HTMLElement } {
  const told = el("p", { role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      setText(told, words.copied);
    } catch {
      field.select();
      setText(told, words.failed);
    }
  };
  return { button: el("button", { type: "button", class: "primary", click: () => void copy() }, words.copy), told };
}
