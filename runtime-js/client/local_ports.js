// Lines within the page.

import { RemotePort } from "../port/remote_port.js";

/** Two ports, each the other's far end. @returns {[RemotePort, RemotePort]} */
export function portPair() {
  const ends = [];
  const open = (index) => (receiver) => {
    ends[index] = receiver;
    const callFar = (call) => queueMicrotask(() => call(ends[1 - index]));
    queueMicrotask(() => receiver.opened());
    return {
      send: (text) => callFar((far) => far.frame(text)),
      close: (code, reason) => callFar((far) => far.closed(code, reason, true)),
    };
  };
  return [new RemotePort(open(0)), new RemotePort(open(1))];
}
