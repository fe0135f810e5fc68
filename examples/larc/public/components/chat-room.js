import { user, wsClient } from "../services/websocket-client.js";
import { element, LiveElement } from "./live-element.js";

class ChatRoom extends LiveElement {
  connectedCallback() {
    this.list = element("ul", { className: "messages" });
    const input = element("input", { placeholder: "Message", maxLength: 500, ariaLabel: "Message" });
    const form = element("form", {}, input, element("button", { textContent: "Send" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (input.value.trim() === "" || !wsClient.isConnected()) return;
      const message = { name: user.name, text: input.value.trim() };
      // The hub sends a message to every page but its own.
      wsClient.send("chat.message", message);
      this.#show(message, true);
      input.value = "";
    });
    this.replaceChildren(this.list, form);
    this.follow(wsClient, "chat.message", (message) => this.#show(message, false));
  }

  #show({ name, text }, isMine) {
    const who = element("span", { className: "who", textContent: isMine ? "you" : name });
    const item = element("li", { className: isMine ? "mine" : "" }, who);
    item.append(element("span", { className: "text", textContent: text }));
    this.list.append(item);
    this.list.scrollTop = this.list.scrollHeight;
  }
}

customElements.define("chat-room", ChatRoom);
