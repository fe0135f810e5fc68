// A bus of a page, and elements that bridge it to a hub, as LARC's components do: the same attributes, frames and
// reconnection.

const matches = (topic, pattern) => {
  if (pattern === "*" || pattern === topic) return true;
  const [have, want] = [topic.split("."), pattern.split(".")];
  return have.length === want.length && want.every((segment, n) => segment === "*" || segment === have[n]);
};
const words = (text) => (text ?? "").split(/[\s,]+/).filter((word) => word !== "");

const subscribers = new Set();
const published = [];
globalThis.pan = {
  /** Frames that sockets have received and sent. */
  frames: 0,
  publish(message) {
    const delivered = { id: crypto.randomUUID(), ts: Date.now(), ...message };
    published.push(delivered);
    for (const { patterns, listener } of [...subscribers]) {
      if (patterns.some((pattern) => matches(delivered.topic, pattern))) listener(delivered);
    }
  },
  subscribe(patterns, listener) {
    subscribers.add({ patterns, listener });
  },
  /** The data of every message of a topic. */
  seen: (topic) => published.filter((message) => message.topic === topic).map(({ data }) => data),
};

customElements.define("pan-websocket", class extends HTMLElement {
  connectedCallback() {
    this.#connect();
    pan.subscribe(words(this.getAttribute("outbound-topics")), ({ topic, data, ts, id }) => {
      if (!topic.startsWith("ws.")) this.send({ topic, data, ts, id });
    });
  }

  send(frame) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    pan.frames += 1;
    this.socket.send(JSON.stringify(frame));
  }

  #connect() {
    this.socket = new WebSocket(new URL(this.getAttribute("url"), location.href.replace("http", "ws")));
    this.socket.onopen = () => pan.publish({ topic: "ws.connected", data: {} });
    this.socket.onmessage = ({ data: text }) => {
      const frame = JSON.parse(text);
      if (!frame.topic) return;
      if (!words(this.getAttribute("inbound-topics")).some((pattern) => matches(frame.topic, pattern))) return;
      pan.frames += 1;
      pan.publish({ topic: frame.topic, data: frame.data || frame.payload || frame, retain: frame.retain });
    };
    this.socket.onclose = () => setTimeout(() => this.#connect(), 1000);
  }
});

customElements.define("pan-sse", class extends HTMLElement {
  connectedCallback() {
    const key = `pan:sse:last:${this.getAttribute("persist-last-event")}`;
    const url = new URL(this.getAttribute("src"), location.href);
    url.searchParams.set("topics", words(this.getAttribute("topics")).join(","));
    const last = localStorage.getItem(key);
    if (last) url.searchParams.set("lastEventId", last);
    const source = new EventSource(url, { withCredentials: true });
    source.onopen = () => this.isOpen = true;
    source.onmessage = ({ data: text, lastEventId }) => {
      const { topic, data, payload, item, retain } = JSON.parse(text);
      if (lastEventId) localStorage.setItem(key, lastEventId);
      pan.publish({ topic, data: data ?? payload ?? item, retain });
    };
  }
});

customElements.define("pan-forwarder", class extends HTMLElement {
  sent = 0;

  connectedCallback() {
    pan.subscribe(words(this.getAttribute("topics")), async ({ topic, data, retain, id, ts }) => {
      const body = JSON.stringify({ topic, data, retain: !!retain, id, ts });
      const headers = { "content-type": "application/json" };
      const response = await fetch(this.getAttribute("dest"), { method: "POST", body, headers, credentials: "include" });
      if (response.ok) this.sent += 1;
    });
  }
});
