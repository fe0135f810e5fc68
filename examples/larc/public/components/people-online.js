import { wsClient } from "../services/websocket-client.js";
import { badge, LiveElement } from "./live-element.js";

/** Everybody who has the page open. The hub knows that by the sockets; heartbeats are only for the status. */
class PeopleOnline extends LiveElement {
  #users = new Map();

  connectedCallback() {
    this.follow(wsClient, "presence-update", (user) => this.#set(user.userId, user));
    this.follow(wsClient, "presence-offline", ({ userId }) => this.#set(userId, null));
    this.follow(wsClient, "disconnected", () => {
      this.#users.clear();
      this.replaceChildren();
    });
    document.addEventListener("visibilitychange", this.#status);
    this.timer = setInterval(this.#status, 30_000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener("visibilitychange", this.#status);
    clearInterval(this.timer);
  }

  #status = () => {
    if (wsClient.isConnected()) wsClient.send("presence-heartbeat", { status: document.hidden ? "away" : "online" });
  };

  #set(userId, user) {
    if (user === null) this.#users.delete(userId);
    else this.#users.set(userId, user);
    this.replaceChildren(...[...this.#users.values()].map(badge));
  }
}

customElements.define("people-online", PeopleOnline);
