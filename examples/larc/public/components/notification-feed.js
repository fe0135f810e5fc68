import { wsClient } from "../services/websocket-client.js";
import { element, LiveElement } from "./live-element.js";

const SHOWN_FOR = 5000;

class NotificationFeed extends LiveElement {
  connectedCallback() {
    this.follow(wsClient, "notification", ({ title, message, type = "info" }) => {
      const heading = element("strong", { textContent: title });
      const text = element("p", { textContent: message });
      const shown = element("div", { className: `notification ${type}` }, heading, text);
      this.prepend(shown);
      setTimeout(() => shown.remove(), SHOWN_FOR);
    });
  }
}

customElements.define("notification-feed", NotificationFeed);
