/** Channels: groups of clients that receive each other's messages. */

import type { MessageOptions, NestedMessageOptions, PortMessageEvent } from "./port.js";

/** A member of a channel: a visitor with a session and all their pages in it, or one page of a visitor without one. */
export interface Member<Presence = any> {
  /** Null before the member has joined. */
  readonly id: string | null;
  /** The `presence` of the member's options. */
  readonly data: Presence;
}

export interface ChannelOptions<Presence = any> {
  /**
   * Returns the data that the other members receive, for this client's messages, `joins` and `leaves`. It is called
   * once for all of them, with `target` null; a function with more than one parameter is called for each target.
   */
  resolveData?: (
    data: any,
    sender: Member<Presence>,
    target: Member | null,
    about: { id: string; type: string },
  ) => unknown;
  /** Returns whether the other members receive this client's message. */
  authorize?: (
    message: { type: string; data: any; eventID: string },
    sender: Member<Presence>,
  ) => boolean | Promise<boolean>;
  /** The types that this client may send, without the channel; any by default. */
  allow?: string[];
  /** Data about this member that the others may read. */
  presence?: Presence;
  /** Whether the others receive `joins` and `leaves`; true by default. */
  announce?: boolean;
}

/** The result of `enterChannel()`. */
export interface Membership {
  readonly channel: Channel;
  /** Ends the membership: the client neither receives nor sends messages of the channel. */
  leave(): void;
}

/** The data of a `joins-leaves` event, for so many members at a time that only their numbers are sent. */
export interface JoinsAndLeaves {
  readonly joins: number;
  readonly leaves: number;
}

/**
 * A channel, for one handler. Messages of clients are events, with the type without the channel. The events `joins` and
 * `leaves` report one member each, `joins-leaves` very many at a time.
 */
export interface Channel extends EventTarget {
  readonly id: string;
  /** The number of members. */
  readonly size: number;
  members(): (Member & { readonly isSelf: boolean })[];
  /** Sends a message to every client in the channel, the handler's own included. */
  postMessage(data: unknown, options?: Pick<MessageOptions, "type" | "eventID"> | NestedMessageOptions): void;

  addEventListener<Data = any>(
    type: string,
    listener: ((event: PortMessageEvent<Data>) => unknown) | EventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
