// How a line's frames travel: a WebSocket after the other, or one without resumption where the host knows no other;
// server-sent events and POST where there can be none.

import { openChannel } from "./channel.js";
import { PROTOCOL, ResumableLine } from "./resume.js";

/** @typedef {import("../34_remote_port.js").Receiver} Receiver */
/** @typedef {import("../34_remote_port.js").Transport} Transport */

/** How long a socket may take to open before the other way is tried. */
const SOCKET_PATIENCE_MS = 5_000;
/** Remembers for this tab that sockets do not get through. */
const NO_SOCKETS_KEY = "liveline:no-sockets";

/**
 * The transport for an address from a response's header, or null where it is none that this page can follow.
 * @param {string} address `socket:///path`, `socket://ws://host/path` or `channel://name`
 * @param {string} base
 * @param {() => Promise<{ openEvents: typeof import("./events.js").openEvents }>} loadEvents
 * @returns {((receiver: Receiver) => Transport) | null}
 */
export function transportFor(address, base, loadEvents) {
  const [, scheme, rest] = /^(channel|socket):\/\/(.+)$/s.exec(address) ?? [];
  if (scheme === "channel") return (receiver) => openChannel(rest, receiver);
  if (rest === undefined) return null;
  const url = new URL(rest, base);
  url.protocol = url.protocol.replace("ws", "http");
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  return (receiver) => openSocketOrEvents(url.href, receiver, { ...pageWorld(), loadEvents });
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
  const { storage, loadEvents, tell } = world;
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
      const { openEvents } = await loadEvents();
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
  const { WebSocket, setTimeout, clearTimeout } = world;
  let socket;
  let isOver = false;
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
    socket = new WebSocket(url.replace(/^http/, "ws"), [PROTOCOL]);
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
    if (socket.protocol === PROTOCOL) line = keepLine(url, socket, receiver, world);
    else receiver.opened();
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

/** Browsers send no other codes. */
function hangUp(socket, code, reason) {
  socket.close(code === 1000 || code >= 3000 ? code : 1000, reason);
}

/**
 * A line that goes from one socket to the next.
 * @param {string} url
 * @param {WebSocket} socket the first, which is open
 * @param {Receiver} receiver
 * @returns {Transport}
 */
function keepLine(url, socket, receiver, { WebSocket, fetch, setTimeout, clearTimeout, now, network, tell }) {
  let timer;
  /** Sockets that are given up. To close one while the host knows no other would close the line. */
  const stale = [];
  const input = (act) => {
    act(now());
    clearTimeout(timer);
    if (line.isOver) {
      network.removeEventListener("online", wake);
      for (const old of [...stale, socket]) old.close();
    } else if (line.due < Infinity) {
      timer = setTimeout(() => input((time) => line.tick(time)), line.due - now());
    }
  };
  const wake = () => input((time) => line.online(time));

  const follow = (next, url) => {
    socket = next;
    let isOpen = url === null;
    socket.onopen = () => isOpen = true;
    socket.onmessage = ({ data }) => {
      if (socket !== next || typeof data !== "string") return;
      for (const old of stale.splice(0)) old.close();
      input((time) => line.heard(data, time));
    };
    socket.onclose = async ({ code, reason, wasClean }) => {
      if (socket !== next) return;
      // A socket does not tell why it was refused.
      const isGone = code === 1006 && !isOpen && await isMissing(url);
      if (socket !== next) return;
      if (isGone || code !== 1006) end(code, reason, wasClean);
      else input((time) => line.lost(time));
    };
  };
  const isMissing = (url) => fetch(url, { cache: "no-store" }).then(({ status }) => status === 404, () => false);
  const end = (...how) => input(() => line.closed(...how));

  const line = new ResumableLine(url, {
    connect(url) {
      stale.push(socket);
      follow(new WebSocket(url.replace(/^http/, "ws"), [PROTOCOL]), url);
    },
    write: (text) => socket.send(text),
    hangUp: (code, reason) => hangUp(socket, code, reason),
    opened: receiver.opened,
    deliver: receiver.frame,
    away: () => tell("away"),
    resumed: (missed) => tell("resumed", missed),
    closed: receiver.closed,
  }, now());
  follow(socket, null);
  input(() => {});
  network.addEventListener("online", wake);
  return {
    send: (text) => input((time) => line.send(text, time)),
    close: (code, reason) => input(() => line.close(code, reason)),
  };
}
