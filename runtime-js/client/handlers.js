// The handlers of the page's layer. Part of the page only where there are any.

import { ClientEvent } from "./event.js";
import { portPair } from "./local_ports.js";
import { Router, StepTree } from "./steps.js";

/**
 * @param {[string, string][]} handlers pattern and module of each
 * @param {(event: { request: Request, signal: AbortSignal }) => Promise<Response>} pastTheLastStep
 */
export function handlersOf(handlers, pastTheLastStep) {
  const tree = new StepTree(handlers.map(([pattern, url]) => [pattern, () => import(url)]));
  const router = new Router(tree, pastTheLastStep);
  return {
    /** Whether any of them is asked for a path. */
    cover: (pathname) => tree.resolve(pathname).length > 0,

    /**
     * What they answer.
     * @param {import("./hub.js").Hub} hub where their messages are heard
     */
    run(request, hub, { detail, controller, report }) {
      const openClient = () => {
        const [near, far] = portPair();
        hub.add(far);
        // Code that hears of the navigation may still say something.
        controller.signal.addEventListener("abort", () => setTimeout(() => near.close(4001, "navigated away")));
        return near;
      };
      return router.run(new ClientEvent(request, { detail, controller, report, openClient }));
    },
  };
}
