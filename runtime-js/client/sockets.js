// A line over several sockets in turn. The part is loaded for pages with a line.

import { ResumableLine } from "./resume.js";
import { hangUp, PROTOCOL } from "./transport.js";

/** @typedef {import("../port/remote_port.js").Receiver} Receiver */
/** @typedef {import("../port/remote_port.js").Transport} Transport */

/**
 * @param {string} url the line's address, with http(s)
 * @param {WebSocket} socket the first, which is open
 * @param {Receiver} receiver
 * @returns {Transport}
 */
export function keepLine(url, socket, receiver, { WebSocket, fetch, setTimeout, clearTimeout, now, network, tell }) {
  let timer;
  /**
   * Sockets that were given up. They are closed only when the host has the next one: before, it would close the line.
   */
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
      // A close event does not contain the status of a refusal, so the address is requested.
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
    // A socket that closes drops the frame, which the next socket sends again.
    write: (text) => socket.readyState === 1 && socket.send(text),
    hangUp: (code, reason) => hangUp(socket, code, reason),
    opened: receiver.opened,
    deliver: receiver.frame,
    away: () => tell("away"),
    late: (isLate) => tell(isLate ? "late" : "on time"),
    resumed: (missed) => tell("resumed", missed),
    closed: receiver.closed,
  }, now());
  follow(socket, null);
  input(() => {});
  network.addEventListener("online", wake);
  return {
    send: (text) => line.send(text),
    close: (code, reason) => input(() => line.close(code, reason)),
  };
}
