/** What `/app.js` adds to a page. */

import type { Dialogs, HandlerFetch, HandlerResult, HttpEvent, Next, StepContext } from "./event.js";
import type { Port, RemotePort } from "./port.js";
import type { CookieCalls, CookieOptions, KeyVal } from "./storage.js";

/** Every line that is open in this page, as one port: what is posted goes to all, what comes on any is heard. */
export interface Hub extends Omit<Port, "postRequest" | "close">, Iterable<RemotePort> {
  /** How many conversations are alive. */
  readonly length: number;
  /** Ends every conversation. */
  close(code?: number, reason?: string): void;
}

/** Where the page is; the Observer tells of changes. */
export interface AppLocation {
  readonly href: string;
  readonly origin: string;
  readonly protocol: string;
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
}

/** What a navigation is doing; the Observer tells of changes. */
export interface AppNavigator {
  /** The URL that is asked for, or null. */
  readonly requesting: string | null;
  readonly origins: readonly string[];
  readonly method: string | null;
  readonly error: unknown;
  readonly redirecting: string | null;
  /** Whether the server is asked. */
  readonly remotely: boolean;
}

/** A handler in `handler.client.js` or `handler.worker.js`. */
export type ClientHandler = (
  this: StepContext,
  event: ClientEvent,
  next: Next,
  fetch: HandlerFetch,
) => HandlerResult | Promise<HandlerResult>;

/** What such a handler gets. Cookies are those that scripts may see, the session is the tab's. */
export interface ClientEvent extends Pick<HttpEvent, SharedMembers> {
  /** The line to the page: what is posted here is heard at `app.background`. */
  readonly client: RemotePort;
  readonly user: Dialogs;
  readonly cookies: ClientMap<string, string | CookieOptions> & CookieCalls;
  readonly session: ClientMap<any>;
  readonly detail: any;
  spawn(request?: Request): ClientEvent;
  /** Gives up on the request. */
  abort(reason?: unknown): void;
}

/** What a page may read and write itself. */
type ClientMap<Stored, Given = Stored> = Omit<
  KeyVal<Stored, Given>,
  "patch" | "subscribe" | "require" | "defineHandler"
>;

type SharedMembers =
  | "type"
  | "request"
  | "url"
  | "signal"
  | "readyState"
  | "respondWith"
  | "redirect"
  | "waitUntil"
  | "waitUntilNavigate";

/** `window.webqit.app`. */
export interface App {
  readonly background: Hub;
  readonly location: AppLocation;
  readonly navigator: AppNavigator;
  /** Goes to a URL of this app, or asks it for something; settles when the first state is shown. */
  navigate(url: string | URL, init?: RequestInit): Promise<void>;
}

declare global {
  interface Window {
    readonly webqit: { readonly app: App };
  }
  interface Document {
    /** What the bindings of the page see: `data` is its state. */
    readonly bindings: { data: any; [name: string]: any };
  }
  interface DocumentEventMap {
    /** The page's state is there, or has changed. */
    "liveline:state": CustomEvent<{ data: any }>;
    /** A request went wrong; `preventDefault()` keeps the error from the console. */
    "liveline:error": CustomEvent<{ error: unknown }>;
  }
}
