// The handlers of the page's layer. The part is loaded only if there are any.

import { LiveResponse } from "../live_response/live_response.js";
import { ClientEvent } from "./event.js";
import { portPair } from "./local_ports.js";
import { pageOf } from "./pages.js";
import { Router, StepTree } from "./steps.js";

/** The key in the tab's storage of an answer for the page that is loaded next. */
const ANSWER_KEY = "liveline:answer";

/**
 * @param {[string, string, string?][]} handlers pattern and module of each handler, and its folder's page
 * @param {(event: { request: Request, signal: AbortSignal }) => Promise<Response>} pastTheLastStep
 */
export function handlersOf(handlers, pastTheLastStep) {
  const tree = new StepTree(handlers.map(([pattern, url]) => [pattern, () => import(url)]));
  const router = new Router(tree, pastTheLastStep);
  return {
    /** Whether any handler covers a path. */
    cover: (pathname) => tree.resolve(pathname).length > 0,

    /** Whether the handlers' answer for a path is shown by another page than this. */
    async leadElsewhere(pathname, page) {
      const step = tree.resolve(pathname).at(-1);
      if (step === undefined) return false;
      const [, , likely = ""] = handlers.find(([pattern]) => pattern === step.dirname);
      return await pageOf(pathname, likely) !== page;
    },

    /** Keeps an answer, a LiveResponse, for the document that is loaded next. */
    keepAnswer(url, { body = null, status }) {
      sessionStorage.setItem(ANSWER_KEY, JSON.stringify({ url: url.href, body, status }));
    },

    /**
     * The handlers' answer.
     * @param {import("./hub.js").Hub} hub dispatches their messages
     */
    run(request, hub, { detail, controller, report }) {
      const kept = detail.isFirst ? takeAnswer() : undefined;
      if (kept !== undefined) return kept;
      const openClient = () => {
        const [near, far] = portPair();
        hub.add(far);
        // Listeners of the navigation may still send messages.
        controller.signal.addEventListener("abort", () => setTimeout(() => near.close(4001, "navigated away")));
        return near;
      };
      return router.run(new ClientEvent(request, { detail, controller, report, openClient }));
    },
  };
}

/** The answer that was kept for this document, if there is one. */
function takeAnswer() {
  const kept = JSON.parse(sessionStorage.getItem(ANSWER_KEY));
  sessionStorage.removeItem(ANSWER_KEY);
  return kept?.url === location.href ? new LiveResponse(kept.body, { status: kept.status }) : undefined;
}
