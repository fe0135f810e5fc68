/**
 * Everything that a handler can use: the exports of `@webqit/webflo` and `@webqit/fetch-plus`, and the globals.
 */

import { LiveResponse as LiveResponseClass } from "./live-response.js";
import { Observer as ObserverObject } from "./observer.js";

export * from "./channel.js";
export * from "./client.js";
export * from "./event.js";
export * from "./live-response.js";
export * from "./port.js";
export * from "./storage.js";
export * from "./websocket.js";

declare global {
  const LiveResponse: typeof LiveResponseClass;
  type LiveResponse<Body = any> = LiveResponseClass<Body>;
  const Observer: typeof ObserverObject;
}
