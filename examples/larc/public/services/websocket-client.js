// The client of the hub, with the interface of LARC's book.

const PSEUDO = ["connected", "disconnected", "error", "reconnect-failed"];

export class WebSocketClient {
  #socket = null;
  #handlers = new Map();
  #attempts = 0;
  #heartbeat = 0;
  #pause = 0;
  #closed = false;

  constructor(config) {
    this.config = {
      url: "ws://localhost:3000/ws",
      reconnectInterval: 5000,
      maxReconnectAttempts: 10,
      heartbeatInterval: 30000,
      ...config,
    };
  }

  /** Resolves once the socket is open. */
  connect() {
    this.#closed = false;
    return new Promise((resolve, reject) => {
      const socket = this.#socket = new WebSocket(this.config.url);
      socket.onopen = () => {
        this.#attempts = 0;
        this.#heartbeat = setInterval(() => this.send("ping", {}), this.config.heartbeatInterval);
        this.#emit("connected");
        resolve();
      };
      socket.onmessage = ({ data }) => {
        const { type, payload } = JSON.parse(data);
        if (type !== undefined && type !== "pong" && !PSEUDO.includes(type)) this.#emit(type, payload);
      };
      socket.onerror = (error) => {
        this.#emit("error", { error });
        reject(new Error("the hub cannot be reached"));
      };
      socket.onclose = ({ code, reason }) => {
        clearInterval(this.#heartbeat);
        this.#emit("disconnected", { code, reason });
        // A hub that restarts closes with 1012; after 1000 and 1001 nobody wants to come back.
        if (!this.#closed && code !== 1000 && code !== 1001) this.#reconnect();
      };
    });
  }

  disconnect() {
    this.#closed = true;
    clearTimeout(this.#pause);
    this.#socket?.close(1000);
  }

  send(type, payload) {
    if (!this.isConnected()) return console.warn(`not connected: ${type} is lost`);
    this.#socket.send(JSON.stringify({ type, payload, timestamp: Date.now() }));
  }

  /** Returns a function that ends the subscription. */
  on(type, handler) {
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type).add(handler);
    return () => this.#handlers.get(type).delete(handler);
  }

  isConnected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #emit(type, payload) {
    for (const handler of this.#handlers.get(type) ?? []) handler(payload);
  }

  #reconnect() {
    if (this.#attempts >= this.config.maxReconnectAttempts) return this.#emit("reconnect-failed");
    this.#attempts += 1;
    const pause = Math.min(this.config.reconnectInterval * this.#attempts, 30000);
    this.#pause = setTimeout(() => this.connect().catch(() => {}), pause);
  }
}

/** The user of this tab, whom all tabs of the browser share. */
export const user = JSON.parse(localStorage.getItem("larc-user") ?? "null") ?? newUser();

function newUser() {
  const names = ["Ada", "Blaise", "Carl", "Dorothy", "Emmy", "Fermat", "Grace", "Hypatia"];
  const name = names[Math.floor(Math.random() * names.length)];
  const made = { id: `${name.toLowerCase()}-${Math.random().toString(36).slice(2, 7)}`, name };
  localStorage.setItem("larc-user", JSON.stringify(made));
  return made;
}

const query = new URLSearchParams({ userId: user.id, name: user.name });

export const wsClient = new WebSocketClient({
  url: `${location.origin.replace("http", "ws")}/ws?${query}`,
  reconnectInterval: 1000,
});
