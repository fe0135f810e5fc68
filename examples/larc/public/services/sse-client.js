// Server-sent events of the hub, with the interface of LARC's book.

export class SSEClient {
  #source = null;
  #handlers = new Map();
  #pause = 0;

  constructor(config) {
    this.config = { url: "/api/events", withCredentials: true, reconnectDelay: 3000, ...config };
  }

  connect() {
    const { url, withCredentials, reconnectDelay } = this.config;
    const source = this.#source = new EventSource(url, { withCredentials });
    source.onopen = () => this.#emit("connected");
    source.onerror = () => {
      this.#emit("disconnected");
      // The browser itself connects again, unless it has given up.
      if (source.readyState === EventSource.CLOSED) this.#pause = setTimeout(() => this.connect(), reconnectDelay);
    };
    for (const name of this.#handlers.keys()) this.#listen(name);
  }

  disconnect() {
    clearTimeout(this.#pause);
    this.#source?.close();
    this.#source = null;
  }

  on(name, handler) {
    if (!this.#handlers.has(name)) {
      this.#handlers.set(name, new Set());
      this.#listen(name);
    }
    this.#handlers.get(name).add(handler);
    return () => this.#handlers.get(name).delete(handler);
  }

  isConnected() {
    return this.#source?.readyState === EventSource.OPEN;
  }

  #listen(name) {
    this.#source?.addEventListener(name, ({ data }) => data !== undefined && this.#emit(name, parsed(data)));
  }

  #emit(name, data) {
    for (const handler of this.#handlers.get(name) ?? []) handler(data);
  }
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

export const sseClient = new SSEClient();
