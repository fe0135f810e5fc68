// The handlers of the page's layer. Part of the page only where there are any.

import { LiveResponse } from "../live_response/live_response.js";
import { ClientEvent } from "./event.js";
import { portPair } from "./local_ports.js";
import { pageOf } from "./pages.js";
import { Router, StepTree } from "./steps.js";

/** An answer on its way to the page that belongs to it, in the tab's storage. */
const ANSWER_KEY = "liveline:answer";

/**
 * @param {[string, string, string?][]} handlers pattern and module of each, and its folder's page
 * @param {(event: { request: Request, signal: AbortSignal }) => Promise<Response>} pastTheLastStep
 */
export function handlersOf(handlers, pastTheLastStep) {
  const tree = new StepTree(handlers.map(([pattern, url]) => [pattern, () => import(url)]));
  const router = new Router(tree, pastTheLastStep);
  return {
    /** Whether any of them is asked for a path. */
    cover: (pathname) => tree.resolve(pathname).length > 0,

    /** Whether what they answer for a path belongs to another page than this. */
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
     * What they answer.
     * @param {import("./hub.js").Hub} hub where their messages are dispatched
     */
    run(request, hub, { detail, controller, report }) {
      const kept = detail.isFirst ? takeAnswer() : undefined;
      if (kept !== undefined) return kept;
      const openClient = () => {
        const [near, far] = portPair();
        hub.add(far);
        // Code that listens for the navigation may still send something.
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
