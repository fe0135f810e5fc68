/** Clients that hear each other. */

import type { MessageOptions, NestedMessageOptions, PortMessageEvent } from "./port.js";

/** Somebody in a channel: a visitor with a session and all their pages in it, or one page of a visitor without. */
export interface Member<Presence = any> {
  /** Null before the member has joined. */
  readonly id: string | null;
  /** What it gave as `presence`. */
  readonly data: Presence;
}

export interface ChannelOptions<Presence = any> {
  /**
   * What the others get of what this client says, of its `joins` and of its `leaves`. It is called once for all of
   * them, `target` being null; a function that declares more than one parameter is called for each target.
   */
  resolveData?: (
    data: any,
    sender: Member<Presence>,
    target: Member | null,
    about: { id: string; type: string },
  ) => unknown;
  /** Whether the others get what this client says. */
  authorize?: (
    message: { type: string; data: any; eventID: string },
    sender: Member<Presence>,
  ) => boolean | Promise<boolean>;
  /** The types that this client may send, without the channel; any by default. */
  allow?: string[];
  /** What others may know of this member. */
  presence?: Presence;
  /** Whether the others get `joins` and `leaves`; true by default. */
  announce?: boolean;
}

/** What `enterChannel()` gives. */
export interface Membership {
  readonly channel: Channel;
  /** The client hears no more, and is heard no more. */
  leave(): void;
}

/** The data of a `joins-leaves` event: so many came and went at a time that they were only counted. */
export interface JoinsAndLeaves {
  readonly joins: number;
  readonly leaves: number;
}

/**
 * A channel as one handler sees it. What clients say in it is an event, by its type without the channel. `joins` and
 * `leaves` tell of members, `joins-leaves` of very many at a time.
 */
export interface Channel extends EventTarget {
  readonly id: string;
  /** How many members it has. */
  readonly size: number;
  members(): (Member & { readonly isSelf: boolean })[];
  /** Speaks to every client in the channel, the handler's own included. */
  postMessage(data: unknown, options?: Pick<MessageOptions, "type" | "eventID"> | NestedMessageOptions): void;

  addEventListener<Data = any>(
    type: string,
    listener: ((event: PortMessageEvent<Data>) => unknown) | EventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
