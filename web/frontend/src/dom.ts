// Elements, made without markup: whatever others wrote stays text.

type Child = Node | string;

/** Makes an element with attributes and children; strings become text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Makes a button that does something when it is pressed. */
export function button(words: string, press: () => void, attributes: Record<string, string> = {}): HTMLButtonElement {
  const made = make("button", { type: "button", ...attributes }, words);
  made.addEventListener("click", press);
  return made;
}

/** Gives an address as it is shown in passing; the whole one is in its title. */
export function short(address: string): HTMLElement {
  return make("span", { title: address, class: "address" }, `${address.slice(0, 4)}…${address.slice(-4)}`);
}
