// The transports of a line's frames: one WebSocket after the other, or a single one if the host does not resume lines;
// or, if sockets do not get through, server-sent events and POST.

import { openChannel } from "./channel.js";

/** @typedef {import("../port/remote_port.js").Receiver} Receiver */
/** @typedef {import("../port/remote_port.js").Transport} Transport */

/** The subprotocol of lines that can be resumed. */
export const PROTOCOL = "liveline.v1";
/** Paths of hosts that support it. A browser fails a socket if the host picks none of the requested protocols. */
const RESUMABLE = /\/\.liveline\/\w+$/;

/** How long a socket may take to open before server-sent events are used, in milliseconds. */
const SOCKET_PATIENCE_MS = 5_000;
/** The key in the tab's storage that records that sockets do not get through. */
const NO_SOCKETS_KEY = "liveline:no-sockets";

/**
 * The transport for an address from a response's header, or null if this page does not support it.
 * @param {string} address `socket:///path`, `socket://ws://host/path` or `channel://name`
 * @param {string} base
 * @param {(part: "events" | "sockets") => Promise<object>} load loads parts that not every line needs
 * @returns {((receiver: Receiver) => Transport) | null}
 */
export function transportFor(address, base, load) {
  const [, scheme, rest] = /^(channel|socket):\/\/(.+)$/s.exec(address) ?? [];
  if (scheme === "channel") return (receiver) => openChannel(rest, receiver);
  if (rest === undefined) return null;
  const url = new URL(rest, base);
  url.protocol = url.protocol.replace("ws", "http");
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  return (receiver) => openSocketOrEvents(url.href, receiver, { ...pageWorld(), load });
}

/** The browser's functions that the transports use; tests pass their own. */
function pageWorld() {
  return {
    WebSocket,
    fetch: (...args) => fetch(...args),
    storage: globalThis.sessionStorage,
    setTimeout,
    clearTimeout,
    now: () => performance.now(),
    network: globalThis,
    tell: tellOfLine,
  };
}

/** The close codes after which a request is to be sent again: see docs/wire.md. */
const LOST = [1006, 1011, 1012, 1013, 4003];

export function isLost(code) {
  return LOST.includes(code);
}

/** Dispatches the state of a line at the document. Service workers have no document. */
export function tellOfLine(state, missed = false) {
  const event = new CustomEvent("liveline:line", { detail: { state, missed } });
  globalThis.document?.dispatchEvent(event);
}

/**
 * Opens a socket, unless sockets do not get through in this tab; server-sent events if it fails before it has opened.
 * @param {string} url the line's address, with http(s)
 * @param {Receiver} receiver
 * @returns {Transport}
 */
export function openSocketOrEvents(url, receiver, world) {
  const { storage, load, tell } = world;
  const closed = (code, reason, wasClean) => {
    if (isLost(code)) tell("lost");
    receiver.closed(code, reason, wasClean);
  };
  let isOver = false;
  let current = null;
  const takeEvents = async () => {
    const opened = () => {
      // Server-sent events work, so the failure was the socket's.
      storage?.setItem(NO_SOCKETS_KEY, "1");
      receiver.opened();
    };
    try {
      const { openEvents } = await load("events");
      if (!isOver) current = openEvents(url, { ...receiver, opened, closed }, world);
    } catch {
      closed(1006, "", false);
    }
  };
  if (storage?.getItem(NO_SOCKETS_KEY)) takeEvents();
  else current = openSocket(url, { ...receiver, closed }, world, takeEvents);
  return {
    send: (text) => current.send(text),
    close(code, reason) {
      isOver = true;
      current?.close(code, reason);
    },
  };
}

/** @param {() => void} failed called instead of `receiver.closed` when the socket never opened */
function openSocket(url, receiver, world, failed) {
  const { WebSocket, setTimeout, clearTimeout, load } = world;
  const isResumable = RESUMABLE.test(new URL(url).pathname);
  let socket;
  let isOver = false;
  /** The line, once it can be resumed on another socket. */
  let line = null;
  const giveUp = () => {
    if (isOver) return;
    isOver = true;
    clearTimeout(patience);
    socket?.close();
    failed();
  };
  const patience = setTimeout(giveUp, SOCKET_PATIENCE_MS);
  try {
    socket = new WebSocket(url.replace(/^http/, "ws"), isResumable ? [PROTOCOL] : []);
  } catch {
    // A policy of the page forbids it. `giveUp` runs later, because the caller needs the returned transport first.
    queueMicrotask(giveUp);
    return { send() {}, close: () => isOver = true };
  }
  const part = isResumable && load("sockets").catch(() => null);
  let isOpen = false;
  socket.onopen = async () => {
    if (isOver) return;
    isOpen = true;
    clearTimeout(patience);
    if (socket.protocol !== PROTOCOL) return receiver.opened();
    const early = [];
    socket.onmessage = socket.onclose = (event) => early.push(event);
    const loaded = await part;
    if (isOver) return;
    if (loaded === null) {
      socket.close();
      return receiver.closed(1006, "", false);
    }
    line = loaded.keepLine(url, socket, receiver, world);
    for (const event of early) socket[`on${event.type}`](event);
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
    send: (text) => (line ?? socket).send(text),
    close(code, reason) {
      if (line !== null) return line.close(code, reason);
      isOver = true;
      clearTimeout(patience);
      hangUp(socket, code, reason);
    },
  };
}

/** Closes a socket. Browsers can send no codes but 1000 and those from 3000 on. */
export function hangUp(socket, code, reason) {
  socket.close(code === 1000 || code >= 3000 ? code : 1000, reason);
}
