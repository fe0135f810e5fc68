// liveline:sql: databases, and query results that keep following them.

import {
  op_log_error,
  op_sql_begin,
  op_sql_close,
  op_sql_commit,
  op_sql_exec,
  op_sql_follow,
  op_sql_next,
  op_sql_open,
  op_sql_query,
} from "ext:core/ops";
import { SqlError } from "./errors/errors.js";
import { checkOptions } from "./errors/options.js";
import { currentExchange } from "./exchange.js";
import { batch } from "./observer/delivery.js";
import { set } from "./observer/operations.js";
import { isPlain } from "./observer/reactive.js";
import {
  AbortSignal,
  AbortSignalPrototypeGetAborted,
  AbortSignalPrototypeThrowIfAborted,
  ArrayBuffer,
  ArrayIsArray,
  ArrayPrototypeEvery,
  ArrayPrototypeMap,
  ArrayPrototypeSlice,
  Date,
  DatePrototypeToISOString,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
  ObjectCreate,
  ObjectEntries,
  ObjectKeys,
  PromisePrototypeCatch,
  PromiseReject,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeMap,
  String,
  TypeError,
  Uint8Array,
} from "./primordials.js";

export { SqlError };

/**
 * What a statement gave.
 * @typedef {object} Result
 * @property {object[]} rows a plain object for each row; of columns with the same name the last counts
 * @property {string[]} columns
 * @property {number} changes rows that were inserted, updated or deleted
 * @property {number | bigint | null} lastInsertRowid
 */

/** Open transactions, and the exchanges whose code began them. @type {Map<number, Exchange | undefined>} */
const transactions = new SafeMap();

/** For the host: it stopped an exchange. Others need not wait for its transactions. */
export function transactionsStopped(id) {
  for (const { 0: handle, 1: exchange } of transactions.entries()) {
    if (exchange?.id !== id) continue;
    transactions.delete(handle);
    op_sql_close(handle);
  }
}

/** A database. It opens when first used. */
export class Client {
  #path;
  #opening = null;

  /** @param {string} [path] a file in the project, or `:memory:`; without one, the server's database */
  constructor(path = undefined) {
    this.#path = path === undefined ? null : String(path);
  }

  /**
   * Runs one statement. `params` take the places of its `?` (an array) or its `:name`s (an object).
   *
   * With `live`, `rows` keeps following the database, through the Observer, until `signal` aborts or the exchange that
   * asked ends.
   * @param {string} sql
   * @param {unknown[] | Record<string, unknown>} [params]
   * @param {{ live?: boolean, signal?: AbortSignal, params?: unknown[] | Record<string, unknown> }} [options]
   * @returns {Promise<Result>}
   */
  async query(sql, params = undefined, options = undefined) {
    const { values, live, signal } = readArguments(sql, params, options);
    const exchange = currentExchange();
    if (signal) AbortSignalPrototypeThrowIfAborted(signal);
    const handle = await this.#open();
    if (live) return await follow(handle, String(sql), values, signal, exchange);
    const result = await op_sql_query(handle, String(sql), values);
    if (signal) AbortSignalPrototypeThrowIfAborted(signal);
    return result;
  }

  /** Runs any number of statements, without parameters and results. */
  async exec(sql) {
    await op_sql_exec(await this.#open(), String(sql));
  }

  /**
   * Runs `callback` in a transaction: committed when it returns, rolled back when it throws. Others wait as long, so
   * inside it the transaction has to be used, not the client.
   * @template T
   * @param {(tx: Transaction) => T | Promise<T>} callback
   * @returns {Promise<T>} what the callback returned
   */
  async transaction(callback) {
    const exchange = currentExchange();
    const handle = await op_sql_begin(await this.#open());
    transactions.set(handle, exchange);
    try {
      const result = await callback(new Transaction(handle));
      await op_sql_commit(handle);
      return result;
    } finally {
      transactions.delete(handle);
      op_sql_close(handle);
    }
  }

  /** Lets go of the database. Live queries go on to their own end. */
  async close() {
    const opening = this.#opening;
    this.#opening = PromiseReject(new SqlError("the client was closed"));
    PromisePrototypeCatch(this.#opening, () => {});
    if (opening !== null) op_sql_close(await opening);
  }

  #open() {
    // A database that does not open may do so later.
    return this.#opening ??= PromisePrototypeCatch(op_sql_open(this.#path), (error) => {
      this.#opening = null;
      throw error;
    });
  }
}

/** A transaction while its callback runs. */
class Transaction {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  /** @see Client.query */
  async query(sql, params = undefined, options = undefined) {
    const { values, live, signal } = readArguments(sql, params, options);
    if (live) throw new TypeError("A query in a transaction cannot be live; ask the client.");
    if (signal) AbortSignalPrototypeThrowIfAborted(signal);
    return await op_sql_query(this.#handle, String(sql), values);
  }

  /** @see Client.exec */
  async exec(sql) {
    await op_sql_exec(this.#handle, String(sql));
  }
}

/** The server's own database. */
export const client = new Client();

/** Opens the database of a file in the project; it is made if there is none. @returns {Promise<Client>} */
export async function openDatabase(path) {
  const opened = new Client(path);
  await opened.query("SELECT 1");
  return opened;
}

const OPTIONS = ["live", "params", "signal"];

/** Whether a value can be that of an option. What can be a value of the database, too, is one if the statement names it. */
function isOption(name, value, sql) {
  if (value === undefined) return true;
  switch (name) {
    case "live":
      return typeof value === "boolean" && !RegExpPrototypeTest(/[:@$]live(?![0-9A-Za-z_$])/, sql);
    case "params":
      return isPlain(value);
    case "signal":
      return value instanceof AbortSignal;
    default:
      return false;
  }
}

/** The arguments of a query. The second one may be its options, where it has no parameters beside them. */
function readArguments(sql, params, options) {
  const keys = options === undefined && isPlain(params) && !ArrayIsArray(params) ? ObjectKeys(params) : [];
  if (keys.length > 0 && ArrayPrototypeEvery(keys, (key) => isOption(key, params[key], String(sql)))) {
    options = params;
    params = undefined;
  } else {
    checkOptions("query()", options, OPTIONS);
  }
  const { live = false, signal } = options ?? { __proto__: null };
  if (typeof live !== "boolean") throw new TypeError("query(): the option live is true or false.");
  if (signal !== undefined && signal !== null && !(signal instanceof AbortSignal)) {
    throw new TypeError("query(): the option signal is an AbortSignal.");
  }
  return { values: bindable(params ?? options?.params), live, signal };
}

/** Parameters as the host takes them. */
function bindable(params) {
  if (params === undefined || params === null) return [];
  if (typeof params !== "object") throw new TypeError("A query's parameters are an array, or an object by name.");
  if (ArrayIsArray(params)) return ArrayPrototypeMap(params, storable);
  // Without a prototype, so that no name is special.
  const named = ObjectCreate(null);
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(params))) named[name] = storable(value);
  return named;
}

/** Dates are stored as ISO 8601 in UTC, which sorts by time. */
function storable(value) {
  if (value instanceof Date) return DatePrototypeToISOString(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value;
}

// -- live rows -------------------------------------------------------------------------------------------------------

async function follow(handle, sql, params, signal, exchange) {
  const { follower, rows, columns } = await op_sql_follow(handle, sql, params);
  let stopped = false;
  const stop = () => {
    stopped = true;
    exchange?.offEnd(stop);
    if (signal) EventTargetPrototypeRemoveEventListener(signal, "abort", stop);
    op_sql_close(follower);
  };
  if ((signal && AbortSignalPrototypeGetAborted(signal)) || exchange?.ended) {
    stop();
    if (signal) AbortSignalPrototypeThrowIfAborted(signal);
  } else {
    if (signal) EventTargetPrototypeAddEventListener(signal, "abort", stop, { once: true });
    exchange?.onEnd(stop);
    keepCurrent(rows, follower, () => stopped, (error) => {
      stop();
      if (exchange === undefined) op_log_error("a live query", error);
      else exchange.fail(error);
    });
  }
  return { rows, columns, changes: 0, lastInsertRowid: null };
}

/** Applies one change after the other; the next is asked for when the one before is there. */
async function keepCurrent(rows, follower, isStopped, fail) {
  const known = ArrayPrototypeSlice(rows);
  while (true) {
    let change;
    try {
      change = await op_sql_next(follower);
    } catch (error) {
      if (!isStopped()) fail(error);
      return;
    }
    if (isStopped()) return;
    try {
      apply(change, rows, known);
    } catch (error) {
      op_log_error("an observer of live rows", error);
    }
  }
}

/** Makes `rows` current with the fewest changes. `known` are the row objects as of the last change, in order. */
function apply({ fields, places, length }, rows, known) {
  const before = ArrayPrototypeSlice(known);
  batch(rows, () => {
    for (let i = 0; i < fields.length; i += 2) set(before[fields[i]], fields[i + 1]);
    for (let i = 0; i < places.length; i += 3) {
      const index = places[i];
      known[index] = places[i + 1] === -1 ? places[i + 2] : before[places[i + 1]];
      set(rows, index, known[index]);
    }
    known.length = length;
    if (rows.length !== length) set(rows, "length", length);
  });
}
