import { sseClient } from "../services/sse-client.js";
import { element, LiveElement } from "./live-element.js";

class ActivityFeed extends LiveElement {
  #activities = [];

  async connectedCallback() {
    this.follow(sseClient, "activity", (activity) => this.#add([activity]));
    const response = await fetch("/api/activities");
    this.#add(await response.json());
  }

  #add(activities) {
    this.#activities = [...activities, ...this.#activities].toSorted((a, b) => b.timestamp - a.timestamp).slice(0, 100);
    const items = this.#activities.map(({ userName, action, target, timestamp }) =>
      element(
        "li",
        {},
        element("strong", { textContent: userName }),
        action,
        element("em", { textContent: target }),
        element("span", { className: "time", textContent: ago(timestamp) }),
      )
    );
    const none = element("p", { className: "empty", textContent: "Nothing yet: add a task." });
    this.replaceChildren(items.length === 0 ? none : element("ul", { className: "activities" }, ...items));
  }
}

function ago(timestamp) {
  const minutes = Math.floor((Date.now() - timestamp) / 60_000);
  return minutes < 1 ? "just now" : minutes < 60 ? `${minutes} min ago` : new Date(timestamp).toLocaleTimeString();
}

customElements.define("activity-feed", ActivityFeed);
