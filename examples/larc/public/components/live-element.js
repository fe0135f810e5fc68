// What the components have in common: they unsubscribe when they leave the page, and text is never HTML.

export class LiveElement extends HTMLElement {
  #subscriptions = [];

  /** Follows a type of one of the clients, for as long as the element is in the page. */
  follow(client, type, handler) {
    this.#subscriptions.push(client.on(type, handler));
  }

  disconnectedCallback() {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
  }
}

/** An element with properties and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** The initial of a user, in the user's colour. */
export function badge({ userId, name, status = "online" }) {
  const hue = [...userId].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  const made = element("span", { className: "badge", title: `${name}: ${status}`, textContent: name[0].toUpperCase() });
  made.style.setProperty("--hue", hue);
  made.dataset.status = status;
  return made;
}
