// How a line's frames travel: one WebSocket after the other, or a single one if the host does not resume lines;
// server-sent events and POST where there can be none.

import { openChannel } from "./channel.js";

/** @typedef {import("../port/remote_port.js").Receiver} Receiver */
/** @typedef {import("../port/remote_port.js").Transport} Transport */

/** The subprotocol by which lines are resumed. */
export const PROTOCOL = "liveline.v1";
/** Addresses of hosts that know it. A browser fails a socket whose host picks none of the protocols it was asked for. */
const RESUMABLE = /\/\.liveline\/\w+$/;

/** How long a socket may take to open before the other way is tried. */
const SOCKET_PATIENCE_MS = 5_000;
/** Remembers for this tab that sockets do not get through. */
const NO_SOCKETS_KEY = "liveline:no-sockets";

/**
 * The transport for an address from a response's header, or null where it is none that this page can follow.
 * @param {string} address `socket:///path`, `socket://ws://host/path` or `channel://name`
 * @param {string} base
 * @param {(part: "events" | "sockets") => Promise<object>} load gets what not every line needs
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

/** What the transports take from the browser; tests bring their own. */
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

/** Tells the document how a line is, where there is one: a service worker has none. */
export function tellOfLine(state, missed = false) {
  const event = new CustomEvent("liveline:line", { detail: { state, missed } });
  globalThis.document?.dispatchEvent(event);
}

/**
 * A socket, unless sockets are known not to get through; events when it fails before it has opened.
 * @param {string} url the line's address, with http(s)
 * @param {Receiver} receiver
 * @returns {Transport}
 */
export function openSocketOrEvents(url, receiver, world) {
  const { storage, load, tell } = world;
  const closed = (code, reason, wasClean) => {
    if (code === 1006) tell("lost");
    receiver.closed(code, reason, wasClean);
  };
  let isOver = false;
  let current = null;
  const takeEvents = async () => {
    const opened = () => {
      // It was the socket's fault, not the line's.
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
  /** The line, once it may go from this socket to the next. */
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
    // A policy of the page forbids it. The caller has to have the transport before its state changes.
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

/** Closes a socket; browsers send no other codes. */
export function hangUp(socket, code, reason) {
  socket.close(code === 1000 || code >= 3000 ? code : 1000, reason);
}
