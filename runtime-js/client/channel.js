// Lines between a page and its service worker.

/** The key of the message by which a channel's sender closes. */
const END = "liveline:end";

/**
 * @param {string} name
 * @param {import("../port/remote_port.js").Receiver} receiver
 * @returns {import("../port/remote_port.js").Transport}
 */
export function openChannel(name, receiver) {
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => {
    if (typeof data === "string") return receiver.frame(data);
    channel.close();
    receiver.closed(data[END].code, data[END].reason, true);
  };
  queueMicrotask(() => receiver.opened());
  return {
    send: (text) => channel.postMessage(text),
    close(code, reason) {
      channel.postMessage({ [END]: { code, reason } });
      channel.close();
    },
  };
}
