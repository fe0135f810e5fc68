/** The two ends of a line. */

import type { ChannelOptions, Membership } from "./channel.js";

export interface MessageOptions {
  /** The type of the event at the receiver; `message` by default. */
  type?: string;
  /** The message's name, which deltas and replies refer to; made up by default. */
  eventID?: string;
  /** Later changes of the data travel as deltas. */
  live?: boolean;
  /** Ends that. */
  signal?: AbortSignal;
  bubbles?: boolean;
}

/** The older, nested form. */
export interface NestedMessageOptions {
  wqEventOptions: MessageOptions;
}

export type RequestOptions = (MessageOptions | NestedMessageOptions) & {
  /** Ends the wait for the reply. */
  signal?: AbortSignal;
};

/** A message from the other end. */
export interface PortMessageEvent<Data = any> extends Event {
  readonly data: Data;
  readonly eventID: string;
  /** Ports to reply on, where the sender asked for replies. */
  readonly ports: readonly ReplyPort[];
  /** Replies on every port. Says whether there was one. */
  respondWith(data: unknown): boolean;
  /** Whether a listener stopped it from going further. */
  readonly isStopped: boolean;
  /** The same message for another target. */
  copy(): PortMessageEvent<Data>;
  /** Its data: where a value is asked of it, it stands for that. */
  toJSON(): Data;
  [Symbol.toPrimitive](hint: string): unknown;
}

/** How a line closed. */
export interface PortCloseEvent extends CloseEvent {}

/** Where a message is answered. */
export interface ReplyPort {
  postMessage(data: unknown, options?: MessageOptions): void;
  close(): void;
}

/** Where the user goes, as `navigate`, `navigatein` and `navigateaway` tell. */
export interface Navigation {
  readonly href: string;
  readonly origin: string;
  readonly protocol: string;
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
  readonly method: string;
}

type Options = boolean | AddEventListenerOptions;

/** One end of a line. */
export interface Port extends EventTarget {
  /** `connecting` until the other end listens, then `open`, at last `closed`. */
  readonly readyState: "connecting" | "open" | "closed";
  /** Resolves when the port reaches the state. */
  readyStateChange(state: "open" | "close"): Promise<this>;
  onmessage: ((event: PortMessageEvent) => unknown) | null;
  /**
   * Sends a message. Before the line is open, it waits. Where the client is far behind, a handler gets a promise that
   * resolves when it has caught up.
   */
  postMessage(data: unknown, options?: MessageOptions | NestedMessageOptions): Promise<void> | void;
  /**
   * Sends a message that asks for an answer. Resolves with the first reply; rejects with `AbortError` when the other
   * end leaves first, and with `NotSupportedError` when it cannot answer.
   */
  postRequest<Answer = any>(data: unknown, options?: RequestOptions): Promise<PortMessageEvent<Answer>>;
  postRequest<Answer = any>(
    data: unknown,
    callback: (event: PortMessageEvent<Answer>) => unknown,
    options?: RequestOptions,
  ): Promise<PortMessageEvent<Answer>>;
  /** Answers messages of one type with what `handler` returns. */
  addRequestListener<Data = any>(
    type: string,
    handler: (event: PortMessageEvent<Data>) => unknown,
    options?: Options,
  ): void;
  /** Ends the line. */
  close(): void;

  addEventListener(type: "close", listener: (event: PortCloseEvent) => unknown, options?: Options): void;
  addEventListener<Data = any>(
    type: string,
    listener: ((event: PortMessageEvent<Data>) => unknown) | EventListenerObject | null,
    options?: Options,
  ): void;
}

/** The handler's end of a line, known as Port A. */
export interface ClientPort extends Port {
  /** Lets this client and the others in the channel hear each other, until `leave()` or the end of the exchange. */
  enterChannel<Presence = any>(id: string, options?: ChannelOptions<Presence>): Membership;
  /** Resolves when the user navigates to this page again. */
  navigatedIn(): Promise<PortMessageEvent<Navigation>>;
  /** Resolves when the user navigates away. */
  navigatedAway(): Promise<PortMessageEvent<Navigation>>;

  /** Not on this host: clients are reached together in a channel. */
  readonly broadcast: never;
  /** Not on this host: use `enterChannel(id)`. */
  readonly channel: never;
  /** Not on this host: a line has no public name. */
  readonly portID: never;
  /** Not on this host: use `postMessage(object, { live: true })`. */
  readonly projectMutations: never;
  /** Not on this host: use `postRequest(data, { type: "query" })`. */
  readonly query: never;
  /** Not on this host: return what `next()` or `fetch()` gave. */
  readonly relay: never;
  /** Not on this host: a port starts by itself. */
  readonly start: never;
}

/** The port of another server's live response: the far end of a line, known as Port B. */
export interface RemotePort extends Port {
  /** Ends the line; the other end gets the code and the reason. */
  close(code?: number, reason?: string): void;
}
