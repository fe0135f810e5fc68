// Dialogs of handlers, shown by the browser itself if the page does not show its own. The part is loaded for the first
// dialog.

/** Shows a dialog of each type and returns the user's answer. */
const NATIVE = {
  alert: (text) => globalThis.alert(text),
  confirm: (text) => globalThis.confirm(text),
  prompt: (text, { value }) => globalThis.prompt(text, value),
};

/**
 * Replies to a request for a dialog.
 * @param {import("../port/port.js").PortMessageEvent} event
 * @param {Record<string, (text: string, data: object) => unknown>} [show]
 */
export function answerDialog(event, show = NATIVE) {
  const data = typeof event.data === "string" ? { message: event.data } : event.data ?? {};
  event.respondWith(show[event.type](dialogText(data), data) ?? null);
}

function dialogText({ message, details }) {
  return [message, details].filter((part) => part !== undefined && part !== null && part !== "").join("\r\n");
}
