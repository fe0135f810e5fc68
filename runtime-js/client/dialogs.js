// Dialogs that handlers ask for, shown by the browser itself where the page has nothing of its own.

/** Shows a dialog of each type and returns the user's answer. */
const NATIVE = {
  alert: (text) => globalThis.alert(text),
  confirm: (text) => globalThis.confirm(text),
  prompt: (text, { value }) => globalThis.prompt(text, value),
};

/**
 * Answers requests for dialogs, unless a listener calls `preventDefault()` and answers on `event.ports[0]` itself.
 * @param {EventTarget} background
 * @param {Record<string, (text: string, data: object) => unknown>} [show]
 */
export function answerDialogs(background, show = NATIVE) {
  for (const [type, ask] of Object.entries(show)) {
    background.addEventListener(type, (event) => {
      // Whoever listens for it may have been added later than this.
      queueMicrotask(() => {
        if (event.defaultPrevented) return;
        const data = typeof event.data === "string" ? { message: event.data } : event.data ?? {};
        event.respondWith(ask(dialogText(data), data) ?? null);
      });
    });
  }
}

function dialogText({ message, details }) {
  return [message, details].filter((part) => part !== undefined && part !== null && part !== "").join("\r\n");
}
