// How a line's frames travel: a WebSocket; server-sent events and POST where there can be none.

import { openChannel } from "./channel.js";

/** @typedef {import("../34_remote_port.js").Receiver} Receiver */
/** @typedef {import("../34_remote_port.js").Transport} Transport */

/** How long a socket may take to open before the other way is tried. */
const SOCKET_PATIENCE_MS = 5_000;
/** How long a handler gets that has not heard what was said before. */
const BUSY_MS = 1_000;
/** Remembers for this tab that sockets do not get through. */
const NO_SOCKETS_KEY = "liveline:no-sockets";

/**
 * The transport for an address from a response's header, or null where it is none that this page can follow.
 * @param {string} address `socket:///path`, `socket://ws://host/path` or `channel://name`
 * @returns {((receiver: Receiver) => Transport) | null}
 */
export function transportFor(address, base = location.href) {
  const [, scheme, rest] = /^(channel|socket):\/\/(.+)$/s.exec(address) ?? [];
  if (scheme === "channel") return (receiver) => openChannel(rest, receiver);
  if (rest === undefined) return null;
  const url = new URL(rest, base);
  url.protocol = url.protocol.replace("ws", "http");
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  return (receiver) => openSocketOrEvents(url.href, receiver, pageWorld());
}

/** What the transports take from the browser; tests bring their own. */
function pageWorld() {
  return { WebSocket, fetch: (...args) => fetch(...args), storage: globalThis.sessionStorage, setTimeout, clearTimeout };
}

/**
 * A socket, unless sockets are known not to get through; events when it fails before it has opened.
 * @param {string} url the line's address, with http(s)
 * @param {Receiver} receiver
 * @returns {Transport}
 */
export function openSocketOrEvents(url, receiver, world) {
  const { storage } = world;
  if (storage?.getItem(NO_SOCKETS_KEY)) return openEvents(url, receiver, world);
  let current = openSocket(url, receiver, world, () => {
    const opened = () => {
      // It was the socket's fault, not the line's.
      storage?.setItem(NO_SOCKETS_KEY, "1");
      receiver.opened();
    };
    current = openEvents(url, { ...receiver, opened }, world);
  });
  return { send: (text) => current.send(text), close: (code, reason) => current.close(code, reason) };
}

/** @param {() => void} failed called instead of `receiver.closed` when the socket never opened */
function openSocket(url, receiver, { WebSocket, setTimeout, clearTimeout }, failed) {
  let socket;
  let isOver = false;
  const giveUp = () => {
    if (isOver) return;
    isOver = true;
    clearTimeout(patience);
    socket?.close();
    failed();
  };
  const patience = setTimeout(giveUp, SOCKET_PATIENCE_MS);
  try {
    socket = new WebSocket(url.replace(/^http/, "ws"));
  } catch {
    // A policy of the page forbids it. Whoever opens has to have the transport before it changes.
    queueMicrotask(giveUp);
    return { send() {}, close: () => isOver = true };
  }
  let isOpen = false;
  socket.onopen = () => {
    if (isOver) return;
    isOpen = true;
    clearTimeout(patience);
    receiver.opened();
  };
  socket.onmessage = ({ data }) => {
    if (!isOver && typeof data === "string") receiver.frame(data);
  };
  socket.onclose = ({ code, reason, wasClean }) => {
    if (!isOpen) return giveUp();
    if (!isOver) receiver.closed(code, reason, wasClean);
    isOver = true;
  };
  return {
    send: (text) => socket.send(text),
    close(code, reason) {
      isOver = true;
      clearTimeout(patience);
      // Browsers send no other codes.
      socket.close(code === 1000 || code >= 3000 ? code : 1000, reason);
    },
  };
}

/** Down: one streamed answer of server-sent events. Up: POST, one at a time so that nothing overtakes. */
function openEvents(url, receiver, { fetch, setTimeout }) {
  const controller = new AbortController();
  const queue = [];
  let isOver = false;
  const end = (code, reason, wasClean) => {
    if (isOver) return;
    isOver = true;
    queue.length = 0;
    controller.abort();
    receiver.closed(code, reason, wasClean);
  };
  const lost = () => end(1006, "", false);

  (async () => {
    const headers = { Accept: "text/event-stream" };
    const response = await fetch(url, { headers, cache: "no-store", signal: controller.signal });
    if (!response.ok || response.body === null) return lost();
    receiver.opened();
    await readEvents(response.body, ({ event, data }) => {
      if (isOver) return;
      if (event !== "close") return receiver.frame(data);
      const { code = 1000, reason = "" } = JSON.parse(data);
      end(code, reason, true);
    });
    lost();
  })().catch(lost);

  /** What is under way, if anything is. */
  let sending = null;
  const drain = async () => {
    while (queue.length > 0) {
      const texts = queue.splice(0);
      const { ok, status } = await fetch(url, { method: "POST", body: texts.join("\n") });
      if (status === 429) {
        queue.unshift(...texts);
        await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
      } else if (!ok) {
        return lost();
      }
    }
    sending = null;
  };
  return {
    send(text) {
      queue.push(text);
      sending ??= drain().catch(lost);
    },
    close(code, reason) {
      isOver = true;
      const query = `${url.includes("?") ? "&" : "?"}code=${code}&reason=${encodeURIComponent(reason)}`;
      // The page may be about to go; the far end notices a client that vanished in any case.
      const leave = () => {
        fetch(url + query, { method: "DELETE", keepalive: true }).catch(() => {}).finally(() => controller.abort());
      };
      if (sending === null) leave();
      else sending.then(leave);
    },
  };
}

/** Reads a body of server-sent events to its end. @param {(event: { event: string, data: string }) => void} receive */
export async function readEvents(body, receive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = "message";
  let data = [];
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) receive({ event, data: data.join("\n") });
        event = "message";
        data = [];
        continue;
      }
      const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (field === "data") data.push(text);
      else if (field === "event") event = text;
    }
  }
}
