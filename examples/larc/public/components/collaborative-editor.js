import { wsClient } from "../services/websocket-client.js";
import { badge, element, LiveElement } from "./live-element.js";

/** A text that several people edit. The newest version of it counts, and the hub sends that to everybody. */
class CollaborativeEditor extends LiveElement {
  #collaborators = new Map();
  #typedAt = 0;

  connectedCallback() {
    const docId = this.getAttribute("doc-id");
    this.badges = element("div", { className: "collaborators" });
    this.text = element("textarea", { placeholder: "Write something. Others see it at once.", ariaLabel: "Notes" });
    this.text.addEventListener("input", () => {
      this.#typedAt = Date.now();
      wsClient.send("document-update", { docId, content: this.text.value });
    });
    this.replaceChildren(this.badges, this.text);
    const join = () => wsClient.send("join-document", { docId });
    this.follow(wsClient, "connected", () => {
      this.#collaborators.clear();
      join();
    });
    this.follow(wsClient, "document-update", (update) => update.docId === docId && this.#receive(update.content));
    this.follow(wsClient, "collaborator-joined", (it) => it.docId === docId && this.#set(it.userId, it));
    this.follow(wsClient, "collaborator-left", (it) => it.docId === docId && this.#set(it.userId, null));
    if (wsClient.isConnected()) join();
  }

  /** While the user types, the text stays; the hub sends it again a moment later. */
  #receive(content) {
    if (Date.now() - this.#typedAt < 100 || this.text.value === content) return;
    const { selectionStart, selectionEnd } = this.text;
    this.text.value = content;
    this.text.setSelectionRange(selectionStart, selectionEnd);
  }

  #set(userId, collaborator) {
    if (collaborator === null) this.#collaborators.delete(userId);
    else this.#collaborators.set(userId, collaborator);
    this.badges.replaceChildren(...[...this.#collaborators.values()].map(badge));
  }
}

customElements.define("collaborative-editor", CollaborativeEditor);
