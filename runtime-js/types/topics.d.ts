/** `liveline:topics`: named sequences of messages, which all workers share and which outlive the code. */
declare module "liveline:topics" {
  export interface TopicSettings {
    /** How many messages are kept; 1000 by default. */
    history?: number;
    /** How many bytes of messages are kept; 1 MiB by default. */
    bytes?: number;
    /** Only the latest message counts: it alone is kept, and every new subscriber receives it. */
    latest?: boolean;
    /** Messages in a second; more are refused. */
    rate?: number;
    /** Messages in a second of one publisher; more are refused. */
    publisherRate?: number;
    /** Milliseconds after which a topic that nobody uses is removed; an hour by default. */
    idle?: number;
    /** Milliseconds that a member stays present after its last connection was lost; 2000 by default. */
    grace?: number;
    /** Milliseconds after which a connection that gave no sign of life is lost. */
    expiry?: number;
  }

  export interface PublishOptions {
    /** The name of the event. */
    event?: string;
    /** Distinguishes the message: a second one with the key is not published, and answered with the first one's id. */
    key?: string;
    /** The same for numbered messages: `sequence` counts those of a producer from 0, `epoch` its starts. */
    producer?: { id: string; epoch: number; sequence: number };
    /** New subscribers receive the message first. */
    retain?: boolean;
    /** Only subscribers receive it whose metadata fits. */
    filter?: Record<string, string | number | boolean>;
    /** How `filter` is compared: every key of the subscriber (`subset`, the default), or the keys that both have. */
    mode?: "subset" | "overlap";
    /** Whose rate the message counts for. */
    publisher?: string;
    /** No message may follow. */
    close?: boolean;
  }

  export interface Published {
    /** The position behind the message, from which a subscriber may continue. */
    id: string;
    /** The message had been published before. */
    duplicate: boolean;
    /** How many subscribers receive it. */
    subscribers: number;
  }

  export interface Message<Data = unknown> {
    gap?: undefined;
    id: string;
    topic: string;
    event?: string;
    /** It is the topic's retained message. */
    retained: boolean;
    data: Data;
  }

  /** Messages that a subscriber does not receive: it was too slow, or they are not kept any more. */
  export interface Gap {
    gap: true;
    /** How many, if that is known. */
    missed: number | null;
    id: string;
  }

  export interface FollowOptions {
    /** The id behind which to continue. */
    after?: string;
    /** How many earlier messages to begin with. */
    replay?: number | "all";
    /** What is known of the subscriber, for the filters of messages. */
    metadata?: Record<string, string | number | boolean>;
    /** What happens to a subscriber that is more than `budget` messages behind; `drop` by default. */
    slow?: "drop" | "latest" | "close";
    budget?: number;
    /** Without the retained message. */
    fresh?: boolean;
  }

  export interface StreamOptions extends FollowOptions {
    /** Clients may add messages. */
    append?: boolean;
    /** Clients may create the topic; before that it does not exist. */
    create?: boolean;
    /** Clients may delete the topic. */
    remove?: boolean;
    /** Pages of any site may read it by the protocol of Durable Streams, without cookies. */
    anyOrigin?: boolean;
    /** Clients may create it as a continuation of topics whose names begin with this. */
    forkFrom?: string;
    /** The connection is present at the topic for this member. */
    member?: string | { id: string; data?: unknown };
  }

  /** An answer that a handler returns or passes to `event.respondWith()`. */
  export interface TopicAnswer {
    readonly [Symbol.toStringTag]: "TopicAnswer";
  }

  /** One topic or several: to be followed, and to be an answer. */
  export interface Followed<Data = unknown> extends AsyncIterable<Message<Data> | Gap> {
    /** The messages from the call on. It ends with the exchange, with `signal`, and when the topic is closed. */
    messages(options?: FollowOptions & { signal?: AbortSignal }): AsyncIterableIterator<Message<Data> | Gap>;
    /** Calls `listener` for each message, one after the other. Returns what ends that. */
    subscribe(
      listener: (message: Message<Data> | Gap) => unknown,
      options?: FollowOptions & { signal?: AbortSignal },
    ): () => void;
    /** The topic as an answer, with what its client may do besides following it. */
    stream(options?: StreamOptions): TopicAnswer;
  }

  export interface Topic<Data = unknown> extends Followed<Data> {
    readonly name: string;
    /** Publishes a message, of JSON unless the topic has another media type. */
    publish(data: Data, options?: PublishOptions): Published;
    /** No message may follow; subscribers end after the last. */
    close(): void;
    /** Creates the topic with a media type; false if it exists with the same. `ttl` is in seconds. */
    create(type: string, options?: { ttl?: number }): boolean;
    /** Removes the topic and its messages; false if there was none. */
    delete(): boolean;
    /** The newest message. */
    readonly latest: Message<Data> | undefined;
    /** Resolves when everything that was published is in the file of `--topic-store`. */
    stored(): Promise<void>;
    readonly presence: Presence;
  }

  export interface PresenceChange {
    type: "join" | "update" | "leave";
    id: string;
    data: unknown;
  }

  /** Who is present at a topic; to be followed for the changes. */
  export interface Presence extends Followed<PresenceChange> {
    readonly members: { id: string; data: unknown }[];
    /** A member is present until the exchange ends, or `leave()`. */
    enter(id: string, data?: unknown): { alive(): boolean; leave(): void };
  }

  /** The topic of a name such as `/chat/1` or `users.saved`; settings count from now on. */
  export function topic<Data = unknown>(name: string, settings?: TopicSettings): Topic<Data>;

  /**
   * All topics that one of the patterns matches: `*` is one segment, `**` at the end all that follow, `*` alone every
   * topic.
   */
  export function topics<Data = unknown>(...patterns: string[]): Followed<Data>;
}
