// A line without a socket, by server-sent events and POST. Its frames have no numbers, so frames that are lost with a
// connection stay lost. The part is loaded only if sockets do not get through.

/** @typedef {import("../port/remote_port.js").Receiver} Receiver */
/** @typedef {import("../port/remote_port.js").Transport} Transport */

/** The pause before frames that a busy handler has not received are sent again, in milliseconds. */
const BUSY_MS = 1_000;

/**
 * Frames to the client: one streamed answer of server-sent events. From it: POST, one at a time to keep the order.
 * @param {string} url the line's address, with http(s)
 * @param {Receiver} receiver
 * @returns {Transport}
 */
export function openEvents(url, receiver, { fetch, setTimeout }) {
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
  // Another connection would be refused as well.
  const failed = (status) => end(1006, status === 403 ? "refused" : "", false);

  (async () => {
    const headers = { Accept: "text/event-stream" };
    const response = await fetch(url, { headers, cache: "no-store", signal: controller.signal });
    if (!response.ok || response.body === null) return failed(response.status);
    receiver.opened();
    await readEvents(response.body, ({ event, data }) => {
      if (isOver) return;
      if (event !== "close") return receiver.frame(data);
      const { code = 1000, reason = "" } = JSON.parse(data);
      end(code, reason, true);
    });
    lost();
  })().catch(lost);

  /** The POST requests that are under way, or null. */
  let sending = null;
  const drain = async () => {
    while (queue.length > 0) {
      const texts = queue.splice(0);
      const { ok, status } = await fetch(url, { method: "POST", body: texts.join("\n") });
      if (status === 429) {
        queue.unshift(...texts);
        await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
      } else if (!ok) {
        return failed(status);
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
      // The page may be about to unload; the host detects a client that vanished in any case.
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
