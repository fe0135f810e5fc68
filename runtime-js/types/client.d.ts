/** What `/app.js` adds to a page. */

import type { Dialogs, HandlerFetch, HandlerResult, HttpEvent, Next, StepContext } from "./event.js";
import type { Port, RemotePort } from "./port.js";
import type { CookieCalls, CookieOptions, KeyVal } from "./storage.js";

/** Every line that is open in this page, as one port: what is posted goes to all, what comes on any is heard. */
export interface Hub extends Omit<Port, "close">, Iterable<RemotePort> {
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
  /** Gives up on the request. */
  abort(reason?: unknown): void;
}

/** What the server knows of the user, which only the server changes, and dialogs. */
export interface PageUser extends Dialogs, Pick<KeyVal, "get" | "has" | "keys" | "values" | "entries" | "count" | "json"> {
  /** Whether the user has an id. */
  isSignedIn(): Promise<boolean>;
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
  | "sdk"
  | "state"
  | "waitUntil"
  | "waitUntilNavigate";

/** What the browser may do here. A permission is `granted`, `denied`, `prompt` or `unsupported`. */
export interface Capabilities {
  /** Permissions by name, with `_` for `-`; and `display-mode`. */
  query(names: CapabilityName | CapabilityName[]): Promise<Record<string, string>>;
  /** The same, and what ends the following; the Observer tells of changes. */
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
  /** Whether the browser is online; the Observer tells of changes. */
  readonly network: { readonly status: boolean };
  /** The page's size in CSS pixels; the Observer tells of changes. */
  readonly viewport: { readonly width: number; readonly height: number };
  readonly capabilities: Capabilities;
  /** The values of this tab, as `event.session` of client handlers has them. */
  readonly session: ClientMap<any>;
  /** Goes to a URL of this app, or asks it for something; settles when the first state is shown. */
  navigate(url: string | URL, init?: RequestInit): Promise<void>;
}

/** What went wrong with what. */
export interface ErrorDetail {
  readonly error: unknown;
  /** Of the answer; 0 where there was none. */
  readonly status: number;
  readonly method: string | null;
  readonly url: string;
}

export type LineState = "away" | "resumed" | "lost" | "reloaded" | "late" | "on time";

export type StatusState = "online" | "late" | "resuming" | "lost";

/** How things stand. */
export interface StatusDetail {
  readonly state: StatusState;
  readonly previous: StatusState;
  readonly cause: "answer" | "heartbeat" | "line" | "network" | "request" | "handler" | null;
  /** Whether the browser says that it has no network. */
  readonly offline: boolean;
  readonly error?: unknown;
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
    /** A request went wrong; `preventDefault()` keeps the error from the console, and the page as it is. */
    "liveline:error": CustomEvent<ErrorDetail>;
    /** How a line is. */
    "liveline:line": CustomEvent<{ state: LineState; missed: boolean }>;
    /** How things stand between the page and its host; `preventDefault()` keeps the notice away. */
    "liveline:status": CustomEvent<StatusDetail>;
  }
}
