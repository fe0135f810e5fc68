// The other end of a RemotePort, in memory: what the port sends is kept, what the test sends arrives at once.

import { RemotePort } from "../../../runtime-js/port/remote_port.js";

/** A port, and the host's end of its line. */
export function line() {
  const host = { sent: [], closes: [], receiver: null };
  const port = new RemotePort((receiver) => {
    host.receiver = receiver;
    return {
      send: (text) => host.sent.push(JSON.parse(text)),
      close: (code, reason) => host.closes.push([code, reason]),
    };
  });
  /** Answers the port's connect ping, which must be the last thing sent. */
  host.open = () => {
    host.receiver.opened();
    const { ping, ".wq": { eventID } } = host.sent.pop();
    if (ping !== "connect") throw new Error("the port did not greet");
    host.say(`${eventID}:0:message`, { isOpen: true });
  };
  host.say = (type, message, meta = {}) => {
    host.receiver.frame(JSON.stringify({ message, ".wq": { type, eventID: `${type}-h`, ...meta } }));
  };
  host.close = (code, reason = "") => host.receiver.closed(code, reason, code !== 1006);
  return { port, host };
}

/** The same, with the handshake done. */
export function openLine() {
  const { port, host } = line();
  host.open();
  return { port, host };
}

/** What is told under a type, as it comes. */
export function heard(target, type) {
  const events = [];
  target.addEventListener(type, (event) => events.push(event));
  return events;
}
