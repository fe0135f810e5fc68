import { wsClient } from "../services/websocket-client.js";
import { LiveElement } from "./live-element.js";

class ConnectionState extends LiveElement {
  connectedCallback() {
    this.#show("connecting");
    this.follow(wsClient, "connected", () => this.#show("connected"));
    this.follow(wsClient, "disconnected", ({ code }) => this.#show(code === 1012 ? "restarting" : "reconnecting"));
    this.follow(wsClient, "reconnect-failed", () => this.#show("offline"));
  }

  #show(state) {
    this.dataset.state = state;
    this.textContent = state;
  }
}

customElements.define("connection-state", ConnectionState);
