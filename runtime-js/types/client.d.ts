/** What `/app.js` adds to a page. */

import type { Dialogs, HandlerFetch, HandlerResult, HttpEvent, Next, StepContext } from "./event.js";
import type { Port, RemotePort } from "./port.js";
import type { CookieCalls, CookieOptions, KeyVal } from "./storage.js";

/** All open lines of this page as one port: messages are sent on all of them and received from any of them. */
export interface Hub extends Omit<Port, "close">, Iterable<RemotePort> {
  /** The number of open lines. */
  readonly length: number;
  /** Closes every line. */
  close(code?: number, reason?: string): void;
}

/** The page's address; observable by the Observer. */
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

/** The progress of a navigation; observable by the Observer. */
export interface AppNavigator {
  /** The URL that is requested, or null. */
  readonly requesting: string | null;
  readonly origins: readonly string[];
  readonly method: string | null;
  readonly error: unknown;
  readonly redirecting: string | null;
  /** Whether the request goes to the server. */
  readonly remotely: boolean;
}

/** A handler in `handler.client.js` or `handler.worker.js`. */
export type ClientHandler = (
  this: StepContext,
  event: ClientEvent,
  next: Next,
  fetch: HandlerFetch,
) => HandlerResult | Promise<HandlerResult>;

/** The event of such a handler. Its cookies are those that scripts can read, its session is the tab's. */
export interface ClientEvent extends Pick<HttpEvent, SharedMembers> {
  /** The line to the page: messages posted here are received at `app.background`. */
  readonly client: RemotePort;
  readonly user: PageUser;
  readonly cookies: ClientMap<string, string | CookieOptions> & CookieCalls;
  readonly session: ClientMap<any>;
  readonly detail: any;
  /** For handlers of the server. */
  readonly redirectWith: never;
  /** For handlers of the server. */
  readonly thread: never;
  spawn(init?: Request | { request?: Request; url?: string | URL }): ClientEvent;
  clone(init?: Request | { request?: Request; url?: string | URL }): ClientEvent;
  extend(init?: Request | { request?: Request; url?: string | URL }): ClientEvent;
  /** Resolves when the event is live or done. */
  readyStateChange(state: "live" | "done"): Promise<this>;
  /** Aborts the request. */
  abort(reason?: unknown): void;
}

/** A read-only copy of the server's data about the user, and dialogs. */
export interface PageUser extends Dialogs, Pick<KeyVal, "get" | "has" | "keys" | "values" | "entries" | "count" | "json"> {
  /** Whether the user has an id. */
  isSignedIn(): Promise<boolean>;
}

/** A map that a page may read and write itself. */
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
  | "sdk"
  | "state"
  | "waitUntil"
  | "waitUntilNavigate";

/** The permissions and abilities of the browser. A permission is `granted`, `denied`, `prompt` or `unsupported`. */
export interface Capabilities {
  /** Permissions by name, with `_` for `-`; and `display-mode`. */
  query(names: CapabilityName | CapabilityName[]): Promise<Record<string, string>>;
  /** The same as an object that is kept current, observable by the Observer, and a function that ends that. */
  query(names: CapabilityName | CapabilityName[], isLive: true): Promise<[Record<string, string>, () => void]>;
  supports(name: CapabilityName): Promise<boolean>;
  /** Asks the user. */
  request(name: "install"): Promise<string | undefined>;
  request(name: "notification"): Promise<NotificationPermission>;
  request(name: "push", options?: PushSubscriptionOptionsInit): Promise<PushSubscription>;
}

export type CapabilityName = string | { name: string; [more: string]: unknown };

/** `window.webqit.app`. */
export interface App {
  readonly background: Hub;
  readonly location: AppLocation;
  readonly navigator: AppNavigator;
  /** Whether the browser is online; observable by the Observer. */
  readonly network: { readonly status: boolean };
  /** The page's size in CSS pixels; observable by the Observer. */
  readonly viewport: { readonly width: number; readonly height: number };
  readonly capabilities: Capabilities;
  /** The values of this tab, the same as `event.session` of client handlers. */
  readonly session: ClientMap<any>;
  /** Navigates to a URL of this app, or sends it another request; settles when the first state is shown. */
  navigate(url: string | URL, init?: RequestInit): Promise<void>;
}

/** An error, and its request. */
export interface ErrorDetail {
  readonly error: unknown;
  /** Of the answer; 0 where there was none. */
  readonly status: number;
  readonly method: string | null;
  readonly url: string;
}

export type LineState = "away" | "resumed" | "lost" | "reloaded" | "late" | "on time";

export type StatusState = "online" | "late" | "resuming" | "lost";

/** The state of all connections. */
export interface StatusDetail {
  readonly state: StatusState;
  readonly previous: StatusState;
  readonly cause: "answer" | "heartbeat" | "line" | "network" | "request" | "handler" | null;
  /** Whether the browser reports that it has no network. */
  readonly offline: boolean;
  readonly error?: unknown;
}

declare global {
  interface Window {
    readonly webqit: { readonly app: App };
  }
  interface Document {
    /** The names that bindings of the page can use: `data` is its state. */
    readonly bindings: { data: any; [name: string]: any };
  }
  interface DocumentEventMap {
    /** The page has its first state, or a new one. */
    "liveline:state": CustomEvent<{ data: any }>;
    /** A request failed; `preventDefault()` keeps the error from the console, and the page as it is. */
    "liveline:error": CustomEvent<ErrorDetail>;
    /** A line was lost, resumed, or is late. */
    "liveline:line": CustomEvent<{ state: LineState; missed: boolean }>;
    /** The state of all connections has changed; `preventDefault()` hides the notice. */
    "liveline:status": CustomEvent<StatusDetail>;
  }
}
