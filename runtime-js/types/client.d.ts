/** What `/app.js` adds to a page. */

import type { RequestPort } from "./port.js";

/** Every line that is open in this page, as one port: what is posted goes to all, what comes on any is heard. */
export interface Hub extends RequestPort, Iterable<RequestPort> {
  /** How many conversations are alive. */
  readonly length: number;
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
  interface DocumentEventMap {
    /** The page's state is there, or has changed. */
    "liveline:state": CustomEvent<{ data: any }>;
    /** A request went wrong; `preventDefault()` keeps the error from the console. */
    "liveline:error": CustomEvent<{ error: unknown }>;
  }
}
