// An actor's storage: keys and values, SQL, the alarm, bookmarks. The host stores on this thread, and commits what a turn
// has written at its end; results and messages of the actor wait until that is durable.

import { core } from "ext:core/mod.js";
import {
  op_actor_alarm_delete,
  op_actor_alarm_get,
  op_actor_alarm_set,
  op_actor_bookmark,
  op_actor_database_size,
  op_actor_delete_all,
  op_actor_durable,
  op_actor_kv_delete,
  op_actor_kv_get,
  op_actor_kv_get_many,
  op_actor_kv_list,
  op_actor_kv_put,
  op_actor_restore,
  op_actor_savepoint,
  op_actor_savepoint_end,
} from "ext:core/ops";
import { settings } from "./classes.js";
import { SqlStorage } from "./sql_storage.js";
import { setStorage } from "./state.js";
import { checkStorable, notClonable } from "./values.js";
import {
  ArrayIsArray,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  DatePrototypeGetTime,
  Error,
  Map,
  MapPrototypeSet,
  MathTrunc,
  Number,
  NumberIsFinite,
  ObjectEntries,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  SafeArrayIterator,
  String,
  TypeError,
} from "../primordials.js";

const STORED = { __proto__: null, forStorage: true };

function pack(value) {
  if (typeof value === "object") checkStorable(value);
  return core.serialize(value, STORED, notClonable);
}

function unpack(bytes) {
  return core.deserialize(bytes, { __proto__: null, forStorage: true, deserializers: core.getCloneableDeserializers() });
}

/** The result of a call that works at once, as a promise. */
function promised(work) {
  try {
    return PromiseResolve(work());
  } catch (error) {
    return PromiseReject(error);
  }
}

/** Keys and values, by calls that work at once. */
class Keys {
  #instance;

  constructor(instance) {
    this.#instance = instance;
  }

  get(key) {
    const bytes = op_actor_kv_get(this.#instance.number, keyOf("get", key));
    return bytes === null ? undefined : unpack(bytes);
  }

  getMany(keys) {
    return mapOf(op_actor_kv_get_many(this.#instance.number, ArrayPrototypeMap(keys, (key) => String(key))));
  }

  put(key, value) {
    if (value === undefined) throw new TypeError("put() called with undefined value.");
    op_actor_kv_put(this.#instance.number, keyOf("put", key), pack(value));
  }

  putMany(entries) {
    // All or none: what cannot be stored is found before anything is stored.
    const packed = [];
    for (const { 0: key, 1: value } of new SafeArrayIterator(ObjectEntries(entries))) {
      if (value !== undefined) ArrayPrototypePush(packed, [key, pack(value)]);
    }
    if (packed.length > MAX_KEYS) {
      throw new TypeError(`Maximum number of pairs is ${MAX_KEYS}; ${packed.length} were given.`);
    }
    const savepoint = op_actor_savepoint(this.#instance.number, false);
    let isDone = false;
    try {
      for (const { 0: key, 1: bytes } of new SafeArrayIterator(packed)) {
        op_actor_kv_put(this.#instance.number, key, bytes);
      }
      isDone = true;
    } finally {
      op_actor_savepoint_end(this.#instance.number, savepoint, isDone);
    }
  }

  delete(key) {
    return op_actor_kv_delete(this.#instance.number, [keyOf("delete", key)]) > 0;
  }

  deleteMany(keys) {
    return op_actor_kv_delete(this.#instance.number, ArrayPrototypeMap(keys, (key) => String(key)));
  }

  list(options = undefined) {
    return mapOf(op_actor_kv_list(this.#instance.number, rangeOf(options)));
  }
}

/** How many keys one call may name. */
const MAX_KEYS = 128;

function keyOf(method, key) {
  if (key === undefined || key === null) throw new TypeError(`${method}() called with undefined or null key.`);
  return String(key);
}

function mapOf(entries) {
  const map = new Map();
  for (const { 0: key, 1: bytes } of new SafeArrayIterator(entries)) MapPrototypeSet(map, key, unpack(bytes));
  return map;
}

/** The options of `list()`, checked. */
function rangeOf(options) {
  const { start, startAfter, end, prefix, reverse, limit } = options ?? { __proto__: null };
  if (start !== undefined && startAfter !== undefined) {
    throw new TypeError("list() cannot be called with both start and startAfter values.");
  }
  if (limit !== undefined && limit !== null && !(Number(limit) > 0)) throw new TypeError("List limit must be positive.");
  const text = (value) => value === undefined || value === null ? null : String(value);
  return {
    start: text(start),
    startAfter: text(startAfter),
    end: text(end),
    prefix: text(prefix),
    reverse: reverse === true,
    limit: limit === undefined || limit === null ? null : MathTrunc(Number(limit)),
  };
}

/** The methods that a storage and a transaction have in common. */
class Operations {
  #instance;
  #keys;
  #check;

  /** @param {() => void} check throws where nothing can be stored any more */
  constructor(instance, keys, check) {
    this.#instance = instance;
    this.#keys = keys;
    this.#check = check;
  }

  /** The result of a call that works at once, as a promise. */
  #promised(work) {
    return promised(() => {
      this.#check();
      return work();
    });
  }

  get(key, _options = undefined) {
    return this.#promised(() => ArrayIsArray(key) ? this.#keys.getMany(key) : this.#keys.get(key));
  }

  put(key, value, _options = undefined) {
    return this.#promised(() => {
      if (typeof key === "object" && key !== null) this.#keys.putMany(key);
      else this.#keys.put(key, value);
    });
  }

  delete(key, _options = undefined) {
    return this.#promised(() => ArrayIsArray(key) ? this.#keys.deleteMany(key) : this.#keys.delete(key));
  }

  list(options = undefined) {
    return this.#promised(() => this.#keys.list(options));
  }

  getAlarm(_options = undefined) {
    return this.#promised(() => {
      const due = op_actor_alarm_get(this.#instance.number);
      return due < 0 ? null : due;
    });
  }

  setAlarm(time, _options = undefined) {
    return this.#promised(() => {
      const due = typeof time === "number" ? time : DatePrototypeGetTime(time);
      if (!NumberIsFinite(due)) throw new TypeError("setAlarm() takes a Date, or milliseconds since 1970.");
      if (due <= 0) throw new TypeError("setAlarm() cannot be called with an alarm time before Unix epoch");
      if (typeof this.#instance.object?.alarm !== "function" && this.#instance.object !== null) {
        throw new TypeError(
          "Your Durable Object class must have an alarm() handler in order to call setAlarm()",
        );
      }
      op_actor_alarm_set(this.#instance.number, MathTrunc(due), this.#instance.name ?? null);
    });
  }

  deleteAlarm(_options = undefined) {
    return this.#promised(() => {
      op_actor_alarm_delete(this.#instance.number);
    });
  }
}

class DurableObjectTransaction extends Operations {
  #end;

  /** @param {{ isUndone: boolean }} end what becomes of the writes when the transaction ends */
  constructor(instance, keys, end) {
    super(instance, keys, () => {
      if (end.isUndone) throw new Error("The transaction was rolled back: nothing is read or written with it any more.");
    });
    this.#end = end;
  }

  /** Undoes what was written, when the transaction ends. */
  rollback() {
    this.#end.isUndone = true;
  }
}

/** Runs `callback` so that transactions which it begins belong to `transaction`. */
function inTransaction(transaction, callback) {
  const outer = core.getAsyncContext();
  core.setAsyncContext({ __proto__: null, ...outer, transaction });
  try {
    return callback();
  } finally {
    core.setAsyncContext(outer);
  }
}

class DurableObjectStorage extends Operations {
  #instance;
  #keys;
  #sql = null;
  #kv = null;
  /** The end of the transactions so far: one runs at a time. */
  #transactions = { __proto__: null, last: PromiseResolve() };

  constructor(instance, keys) {
    super(instance, keys, () => {});
    this.#instance = instance;
    this.#keys = keys;
  }

  /** Keys and values by calls without promises. */
  get kv() {
    return this.#kv ??= new SyncKvStorage(this.#keys);
  }

  get sql() {
    return this.#sql ??= new SqlStorage(this.#instance);
  }

  get databaseSize() {
    return op_actor_database_size(this.#instance.number);
  }

  deleteAll(_options = undefined) {
    return promised(() => {
      op_actor_delete_all(this.#instance.number, settings.deleteAllDeletesAlarm);
    });
  }

  /** Resolves when everything that was written is durable. */
  async sync() {
    await op_actor_durable(this.#instance.number);
  }

  transactionSync(callback) {
    const { number } = this.#instance;
    const savepoint = op_actor_savepoint(number, false);
    let isDone = false;
    try {
      const result = callback();
      isDone = true;
      return result;
    } finally {
      if (!this.#instance.ended) op_actor_savepoint_end(number, savepoint, isDone);
    }
  }

  /** Runs `callback` with a transaction. Other events wait until it has ended. */
  transaction(callback) {
    // One that begins inside of another is a part of that, and waits only for its own like.
    const around = core.getAsyncContext()?.transaction;
    const isInner = around !== undefined && around.storage === this && !around.isOver;
    const queue = isInner ? around : this.#transactions;
    const run = () => isInner ? this.#transact(callback) : this.#instance.exclusively(() => this.#transact(callback));
    const result = PromisePrototypeThen(queue.last, run);
    queue.last = PromisePrototypeThen(result, () => {}, () => {});
    return result;
  }

  async #transact(callback) {
    const { number } = this.#instance;
    const end = { __proto__: null, isUndone: false };
    const transaction = new DurableObjectTransaction(this.#instance, this.#keys, end);
    const own = { __proto__: null, storage: this, last: PromiseResolve(), isOver: false };
    const savepoint = op_actor_savepoint(number, true);
    let isDone = false;
    try {
      const result = await inTransaction(own, () => callback(transaction));
      isDone = !end.isUndone;
      return result;
    } finally {
      own.isOver = true;
      await own.last;
      if (!this.#instance.ended) op_actor_savepoint_end(number, savepoint, isDone);
    }
  }

  getCurrentBookmark() {
    return promised(() => op_actor_bookmark(this.#instance.number, -1));
  }

  getBookmarkForTime(time) {
    return promised(() => {
      const millis = typeof time === "number" ? time : DatePrototypeGetTime(time);
      return op_actor_bookmark(this.#instance.number, millis);
    });
  }

  onNextSessionRestoreBookmark(bookmark) {
    return promised(() => op_actor_restore(this.#instance.number, String(bookmark)));
  }

  /** There are no replicas. */
  ensureReplicas() {}
  disableReplicas() {}

  get primary() {
    return undefined;
  }
}

class SyncKvStorage {
  #keys;

  constructor(keys) {
    this.#keys = keys;
  }

  get(key) {
    return this.#keys.get(key);
  }

  put(key, value) {
    this.#keys.put(key, value);
  }

  delete(key) {
    return this.#keys.delete(key);
  }

  list(options = undefined) {
    return this.#keys.list(options);
  }
}

setStorage((instance) => new DurableObjectStorage(instance, new Keys(instance)));

