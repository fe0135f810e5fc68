/**
 * `liveline:sql`: SQLite databases, and query results that are updated with them.
 *
 * An INTEGER is a number, or beyond 2^53 a BigInt; REAL is a number, TEXT a string, BLOB a Uint8Array, NULL null.
 */
declare module "liveline:sql" {
  /** `true` is stored as 1, a Date as ISO 8601 text in UTC. `undefined` is an error. */
  export type Param = null | boolean | number | bigint | string | Date | ArrayBuffer | ArrayBufferView;

  /** Values for the `?`s in their order, or for each `:name`. */
  export type Params = readonly Param[] | { readonly [name: string]: Param };

  export interface QueryOptions {
    params?: Params;
    /** Rejects the query; ends a live one. */
    signal?: AbortSignal;
  }

  export interface LiveQueryOptions extends QueryOptions {
    /**
     * `rows` is updated with the database: changed columns are set on the row objects, rows are inserted and removed by
     * index, all through the Observer. It ends with `signal`, and with the exchange whose handler called it.
     */
    live: boolean;
  }

  export interface Result<Row = Record<string, any>> {
    /** If columns have the same name, a row has the last one. */
    rows: Row[];
    columns: string[];
    /** Rows that were inserted, updated or deleted. */
    changes: number;
    /** The row that the statement inserted last, if it inserted any. */
    lastInsertRowid: number | bigint | null;
  }

  export interface Transaction {
    query<Row = Record<string, any>>(sql: string, params: Params, options?: QueryOptions): Promise<Result<Row>>;
    query<Row = Record<string, any>>(sql: string, options?: QueryOptions): Promise<Result<Row>>;
    exec(sql: string): Promise<void>;
  }

  /** A database. It opens when first used. */
  export class Client {
    /** `path` is a file in the project, or `:memory:`; without one it is the server's database. */
    constructor(path?: string);
    /** Runs one statement. Parameters are bound, never inserted into the text. */
    query<Row = Record<string, any>>(sql: string, params: Params, options?: LiveQueryOptions | QueryOptions): Promise<Result<Row>>;
    query<Row = Record<string, any>>(sql: string, options?: LiveQueryOptions | QueryOptions): Promise<Result<Row>>;
    /** Runs any number of statements, without parameters and results. */
    exec(sql: string): Promise<void>;
    /**
     * Commits when the callback returns, rolls back when it throws. Other statements wait, so use `tx` inside the
     * callback, not the client; a transaction that is idle for five seconds is rolled back.
     */
    transaction<T>(callback: (tx: Transaction) => T | Promise<T>): Promise<T>;
    close(): Promise<void>;
  }

  /** The server's database: `--database PATH`, or one in memory that survives reloads. */
  export const client: Client;

  /** Opens the database of a file in the project; the file is created if it does not exist. */
  export function openDatabase(path: string): Promise<Client>;

  /** An error of a database. */
  export class SqlError extends Error {
    /** SQLite's name of the error: `SQLITE_CONSTRAINT_UNIQUE`. */
    readonly code: string;
    /** The statement. */
    readonly sql: string;
    /** The place in the statement, or -1. */
    readonly offset: number;
  }
}
