// Both endpoints of RedwoodSDK's useSyncedState, behind a router that is enough for them.

import { SyncedStateServer as SyncedState, syncedStateRoutes } from "rwsdk/use-synced-state/worker";
import { SyncedStateServer as HibernatingState, syncedStateRoutes as hibernatingRoutes } from "rwsdk/use-synced-state/hibernation/worker";

export { HibernatingState, SyncedState };

const routes = [
  ...syncedStateRoutes((env) => env.SYNCED_STATE, { basePath: "/__synced-state" }),
  ...hibernatingRoutes((env) => env.HIBERNATING_STATE, { basePath: "/__hibernating-state" }),
];

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    for (const { path, handler } of routes) {
      const found = new RegExp(`^${path.replace(/\/$/, "").replace(":id", "(?<id>[^/]+)")}/?$`).exec(pathname);
      if (found) return handler({ request, params: { ...found.groups }, ctx: {}, response: { headers: new Headers() } });
    }
    return new Response("Not Found", { status: 404 });
  },
};
