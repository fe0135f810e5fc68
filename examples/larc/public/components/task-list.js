import { user, wsClient } from "../services/websocket-client.js";
import { element, LiveElement } from "./live-element.js";

/** A list that shows a new task before the server has it. */
class TaskList extends LiveElement {
  #items = [];

  async connectedCallback() {
    this.list = element("ul", { className: "items" });
    const input = element("input", { placeholder: "A task", maxLength: 200, ariaLabel: "Task" });
    const form = element("form", {}, input, element("button", { textContent: "Add" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (input.value.trim() !== "") void this.#add(input.value.trim());
      input.value = "";
    });
    this.replaceChildren(this.list, form);
    this.follow(wsClient, "item", (item) => this.#set(item));
    for (const item of await (await fetch("/api/items")).json()) this.#set(item);
  }

  async #add(title) {
    const item = { clientId: crypto.randomUUID(), title, by: user.name };
    this.#set({ ...item, pending: true });
    try {
      const response = await fetch("/api/items", { method: "POST", body: JSON.stringify(item) });
      if (!response.ok) throw new Error(await response.text());
      this.#set(await response.json());
    } catch {
      this.#items = this.#items.filter(({ clientId }) => clientId !== item.clientId);
      this.#render();
    }
  }

  /** The server's version of an item takes the place of the page's own. */
  #set(item) {
    const at = this.#items.findIndex(({ clientId }) => clientId === item.clientId);
    if (at === -1) this.#items.push(item);
    else this.#items[at] = item;
    this.#render();
  }

  #render() {
    const shown = ({ title, by, pending }) => {
      return element("li", { className: pending ? "pending" : "", title: `by ${by}`, textContent: title });
    };
    this.list.replaceChildren(...this.#items.map(shown));
  }
}

customElements.define("task-list", TaskList);
