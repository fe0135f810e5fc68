// The built-in binding in a browser: renders `document.bindings` whenever it changes.

import { reporter, View } from "../page/binding.js";
import { observe, subtree } from "../observer/observer.js";

/**
 * Renders `document.bindings` into the elements with `render` attributes, now and after every change. Several changes
 * in one turn are rendered together. A page with OOHTML is not rendered, because OOHTML does it.
 * @param {Document} document with `bindings`; nothing is rendered before they have `data`
 * @returns {{ refresh(): void, stop(): void }} `refresh` also renders elements that were added to the document since
 */
export function startBinding(document) {
  if (document.defaultView?.webqit?.oohtml !== undefined) return { refresh() {}, stop() {} };
  const report = reporter((binding, error) => console.error(`${binding}: ${error.message}`));
  let view = new View(document.documentElement, report);
  let due = false;
  const update = () => {
    due = false;
    if (Object.hasOwn(document.bindings, "data")) view.update({ names: document.bindings, outer: null });
  };
  const schedule = () => {
    if (due) return;
    due = true;
    queueMicrotask(update);
  };
  const observation = observe(document.bindings, subtree(), schedule);
  // The app may also have replaced the whole state, which the observer does not report.
  document.addEventListener("liveline:state", schedule);
  schedule();
  return {
    refresh() {
      view = new View(document.documentElement, report);
      schedule();
    },
    stop() {
      observation.abort();
      document.removeEventListener("liveline:state", schedule);
    },
  };
}
