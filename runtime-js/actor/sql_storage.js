// `storage.sql`: the tables of an actor.

import { op_actor_database_size, op_actor_sql } from "ext:core/ops";
import {
  ArrayPrototypePush,
  Error,
  ObjectFreeze,
  String,
  SymbolIterator,
} from "../primordials.js";

export class SqlStorage {
  #instance;

  constructor(instance) {
    this.#instance = instance;
  }

  /** Runs statements; the values are bound to the last one. */
  exec(query, ...bindings) {
    return new SqlStorageCursor(op_actor_sql(this.#instance.number, String(query), bindings));
  }

  get databaseSize() {
    return op_actor_database_size(this.#instance.number);
  }

  get Cursor() {
    return SqlStorageCursor;
  }

  get Statement() {
    return undefined;
  }
}

/** The rows of a statement. Each is returned once, by whatever method comes first. */
class SqlStorageCursor {
  #columns;
  #rows;
  #next = 0;
  #read;
  #written;

  constructor({ 0: columns, 1: rows, 2: read, 3: written }) {
    this.#columns = columns;
    this.#rows = rows;
    this.#read = read;
    this.#written = written;
  }

  get columnNames() {
    return ObjectFreeze(this.#columns);
  }

  get rowsRead() {
    return this.#read;
  }

  get rowsWritten() {
    return this.#written;
  }

  #take() {
    if (this.#next >= this.#rows.length) return undefined;
    const row = this.#rows[this.#next];
    // A row that was returned needs no memory here.
    this.#rows[this.#next] = undefined;
    this.#next += 1;
    return row;
  }

  #object(row) {
    const object = {};
    for (let i = 0; i < row.length; i++) object[this.#columns[i]] = row[i];
    return object;
  }

  next() {
    const row = this.#take();
    return row === undefined ? { done: true } : { done: false, value: this.#object(row) };
  }

  toArray() {
    const all = [];
    for (let row = this.#take(); row !== undefined; row = this.#take()) ArrayPrototypePush(all, this.#object(row));
    return all;
  }

  one() {
    const row = this.#take();
    if (row === undefined) throw new Error("Expected exactly one result from SQL query, but got no results.");
    if (this.#take() !== undefined) {
      throw new Error("Expected exactly one result from SQL query, but got multiple results.");
    }
    return this.#object(row);
  }

  raw() {
    return new RawRows(() => this.#take());
  }

  [SymbolIterator]() {
    return this;
  }
}

/** The same rows as arrays. */
class RawRows {
  #take;

  constructor(take) {
    this.#take = take;
  }

  next() {
    const row = this.#take();
    return row === undefined ? { done: true, value: undefined } : { done: false, value: row };
  }

  toArray() {
    const all = [];
    for (let row = this.#take(); row !== undefined; row = this.#take()) ArrayPrototypePush(all, row);
    return all;
  }

  [SymbolIterator]() {
    return this;
  }
}
