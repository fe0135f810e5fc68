// Lines that do not leave the page.

import { RemotePort } from "../port/remote_port.js";

/** Two ports, each the other's far end. @returns {[RemotePort, RemotePort]} */
export function portPair() {
  const ends = [];
  const open = (index) => (receiver) => {
    ends[index] = receiver;
    const tell = (call) => queueMicrotask(() => call(ends[1 - index]));
    queueMicrotask(() => receiver.opened());
    return {
      send: (text) => tell((far) => far.frame(text)),
      close: (code, reason) => tell((far) => far.closed(code, reason, true)),
    };
  };
  return [new RemotePort(open(0)), new RemotePort(open(1))];
}
