/** `liveline:actors`: objects that exist once, with a mailbox in order and storage of their own. */
declare module "liveline:actors" {
  /** The id of an actor: 64 hexadecimal digits. */
  export interface ActorId {
    /** The name that it was made of. */
    readonly name?: string;
    toString(): string;
    equals(other: ActorId): boolean;
  }

  export interface ListOptions {
    start?: string;
    startAfter?: string;
    end?: string;
    prefix?: string;
    reverse?: boolean;
    limit?: number;
  }

  export type SqlValue = string | number | null | ArrayBuffer;

  /** The rows of a statement, each once. */
  export interface SqlCursor<Row extends Record<string, SqlValue> = Record<string, SqlValue>> extends Iterable<Row> {
    next(): { done?: false; value: Row } | { done: true; value?: undefined };
    toArray(): Row[];
    /** The only row; an error if there are none or several. */
    one(): Row;
    raw(): IterableIterator<SqlValue[]> & { toArray(): SqlValue[][] };
    readonly columnNames: string[];
    readonly rowsRead: number;
    readonly rowsWritten: number;
  }

  export interface SqlStorage {
    /** Runs statements; the values are bound to the last one. */
    exec<Row extends Record<string, SqlValue>>(query: string, ...values: unknown[]): SqlCursor<Row>;
    /** Bytes of the actor's file. */
    readonly databaseSize: number;
  }

  export interface ActorTransaction {
    get<T = unknown>(key: string): Promise<T | undefined>;
    get<T = unknown>(keys: string[]): Promise<Map<string, T>>;
    put<T>(key: string, value: T): Promise<void>;
    put<T>(entries: Record<string, T>): Promise<void>;
    delete(key: string): Promise<boolean>;
    delete(keys: string[]): Promise<number>;
    list<T = unknown>(options?: ListOptions): Promise<Map<string, T>>;
    getAlarm(): Promise<number | null>;
    setAlarm(time: number | Date): Promise<void>;
    deleteAlarm(): Promise<void>;
    /** Undoes what the transaction has written, when it ends. */
    rollback(): void;
  }

  export interface ActorStorage extends Omit<ActorTransaction, "rollback"> {
    deleteAll(): Promise<void>;
    transaction<T>(callback: (transaction: ActorTransaction) => Promise<T>): Promise<T>;
    transactionSync<T>(callback: () => T): T;
    /** Resolves when everything that was written is on the disk. */
    sync(): Promise<void>;
    readonly sql: SqlStorage;
    readonly kv: {
      get<T = unknown>(key: string): T | undefined;
      put<T>(key: string, value: T): void;
      delete(key: string): boolean;
      list<T = unknown>(options?: ListOptions): Map<string, T>;
    };
    getCurrentBookmark(): Promise<string>;
    getBookmarkForTime(time: number | Date): Promise<string>;
    /** The next instance begins with the state of the bookmark. Resolves with one of the state now. */
    onNextSessionRestoreBookmark(bookmark: string): Promise<string>;
  }

  /** A message, and the answer that the host sends to it without the actor. */
  export class WebSocketRequestResponsePair {
    constructor(request: string, response: string);
    readonly request: string;
    readonly response: string;
  }

  export interface ActorState {
    readonly id: ActorId;
    readonly storage: ActorStorage;
    readonly facets: {
      get(name: string, start: () => { class: Function; id?: ActorId | string } | Promise<{ class: Function }>): Stub;
      abort(name: string, reason?: unknown): void;
      delete(name: string): void;
    };
    /** Keeps the actor in memory until the promise settles. */
    waitUntil(promise: Promise<unknown>): void;
    /** Holds all other events back until the callback is done. */
    blockConcurrencyWhile<T>(callback: () => Promise<T>): Promise<T>;
    /** Ends the object at once. */
    abort(reason?: unknown): never;
    acceptWebSocket(socket: WebSocket, tags?: string[]): void;
    getWebSockets(tag?: string): ActorSocket[];
    getTags(socket: WebSocket): string[];
    setWebSocketAutoResponse(pair?: WebSocketRequestResponsePair): void;
    getWebSocketAutoResponse(): WebSocketRequestResponsePair | null;
    getWebSocketAutoResponseTimestamp(socket: WebSocket): Date | null;
  }

  export type ActorSocket = WebSocket & {
    serializeAttachment(value: unknown): void;
    deserializeAttachment(): any;
  };

  /** What classes of actors extend. */
  export class Actor {
    constructor(ctx: ActorState, env: unknown);
    protected readonly ctx: ActorState;
    protected readonly env: unknown;
  }

  /** What is passed by reference: its methods are called where it was made. */
  export class RpcTarget {}

  /** A stub: `fetch()`, and every method of the class, as a promise. */
  export type Stub<Class = any> =
    & { readonly id: ActorId; readonly name?: string; fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> }
    & {
      [Key in keyof Class as Key extends "fetch" ? never : Key]: Class[Key] extends (...args: infer Args) => infer Result
        ? (...args: Args) => Promise<Awaited<Result>>
        : Promise<Class[Key]>;
    };

  export interface ActorNamespace<Class = any> {
    idFromName(name: string): ActorId;
    idFromString(digits: string): ActorId;
    newUniqueId(): ActorId;
    get(id: ActorId): Stub<Class>;
    getByName(name: string): Stub<Class>;
  }

  export interface ActorOptions {
    /** How many sockets one actor may have. */
    maxSockets?: number;
    /** How many messages one socket may send in a second. */
    messageRate?: number;
  }

  /**
   * Registers a class and returns its namespace. Call it at the top level of a module, with a name that stays the same:
   * the actors' files are stored under it.
   */
  export function actors<Class>(
    name: string,
    Class: new (ctx: ActorState, env: any) => Class,
    options?: ActorOptions,
  ): ActorNamespace<Class>;
}
