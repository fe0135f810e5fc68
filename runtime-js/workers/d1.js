// D1: databases of SQLite with the interface of Cloudflare's.

import { op_d1_dump, op_d1_exec, op_d1_query } from "ext:core/ops";
import {
  ArrayBuffer,
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  ArrayFrom,
  ArrayIsArray,
  ArrayPrototypeEvery,
  ArrayPrototypeFilter,
  ArrayPrototypeIndexOf,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypeSlice,
  ArrayPrototypePush,
  Error,
  NumberIsNaN,
  NumberIsInteger,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  PromiseResolve,
  SafeArrayIterator,
  SafeMap,
  String,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeTrim,
  Uint8Array,
} from "../primordials.js";

/** What a statement without text is told, as Cloudflare words it. */
const NOTHING = "No SQL statements detected.";

/** The error that callers get: `D1_ERROR` and the message of SQLite with its codes. */
function failure(kind, message) {
  return new Error(`${kind}: ${message}`, { cause: new Error(message) });
}

/** SQLite's message, with place and codes as Cloudflare shows them. */
function described(error) {
  if (typeof error.code !== "string") return error.message;
  if (error.code === "SQLITE_MISUSE" && StringPrototypeStartsWith(error.message, "there is no statement")) return NOTHING;
  if (error.code === "SQLITE_RANGE" && StringPrototypeStartsWith(error.message, "the statement takes")) {
    return "Wrong number of parameter bindings for SQL query.";
  }
  const parts = StringPrototypeSplit(error.code, "_");
  const place = error.offset >= 0 ? ` at offset ${error.offset}` : "";
  if (parts.length < 2) return `${error.message}${place}`;
  const primary = ArrayPrototypeJoin(ArrayPrototypeSlice(parts, 0, 2), "_");
  const extended = parts.length > 2 ? ` (extended: ${error.code})` : "";
  return `${error.message}${place}: ${primary}${extended}`;
}

/** What settles with the last call of each database, by id. @type {Map<string, Promise>} */
const last = new SafeMap();

/** The result of a call, after those of earlier calls: the host settles calls of one turn in any order. */
function inOrder(id, result) {
  PromisePrototypeCatch(result, () => {});
  const settled = PromisePrototypeThen(last.get(id) ?? PromiseResolve(), () => result);
  last.set(id, PromisePrototypeCatch(settled, () => {}));
  return settled;
}

async function query(id, statements) {
  if (statements.length === 0 || !ArrayPrototypeEvery(statements, ({ sql }) => StringPrototypeTrim(sql) !== "")) {
    throw failure("D1_ERROR", NOTHING);
  }
  try {
    return await inOrder(id, op_d1_query(id, statements));
  } catch (error) {
    throw failure("D1_ERROR", described(error));
  }
}

/** A value as the host binds it. */
function bound(value) {
  switch (typeof value) {
    case "number":
      return NumberIsNaN(value) ? {} : { n: value };
    case "boolean":
      return { n: value ? 1 : 0 };
    case "string":
      return { t: value };
    case "object":
      if (value === null) return {};
      if (value instanceof ArrayBuffer) return { b: new Uint8Array(value) };
      if (ArrayBufferIsView(value)) {
        const buffer = ArrayBufferViewPrototypeGetBuffer(value);
        const offset = ArrayBufferViewPrototypeGetByteOffset(value);
        return { b: new Uint8Array(buffer, offset, ArrayBufferViewPrototypeGetByteLength(value)) };
      }
      if (ArrayIsArray(value) && ArrayPrototypeEvery(value, (byte) => NumberIsInteger(byte) && byte >= 0 && byte < 256)) {
        return { b: new Uint8Array(value) };
      }
  }
  throw new Error(`D1_TYPE_ERROR: Type '${typeof value}' not supported for value '${value}'`);
}

/** A cell as callers get it: bytes are lists of numbers. */
function cell(value) {
  return value instanceof Uint8Array ? ArrayFrom(value) : value;
}

function objectsOf({ columns, rows }) {
  return ArrayPrototypeMap(rows, (row) => {
    const object = {};
    for (let i = 0; i < columns.length; i++) object[columns[i]] = cell(row[i]);
    return object;
  });
}

/** The result of `all()`, `run()` and of each statement of a batch. */
function resultOf(answer) {
  const { duration, changes, lastRowId, changedDb, sizeAfter, rowsRead, rowsWritten } = answer;
  return {
    success: true,
    meta: {
      served_by: "liveline",
      duration,
      changes,
      last_row_id: lastRowId,
      changed_db: changedDb,
      size_after: sizeAfter,
      rows_read: rowsRead,
      rows_written: rowsWritten,
    },
    results: objectsOf(answer),
  };
}

/** What the host runs, for a statement. */
let statementOf;

class D1PreparedStatement {
  #id;
  #sql;
  #binds;

  constructor(id, sql, binds) {
    this.#id = id;
    this.#sql = sql;
    this.#binds = binds;
  }

  static {
    statementOf = (statement) => ({ sql: statement.#sql, binds: statement.#binds });
  }

  bind(...values) {
    return new D1PreparedStatement(this.#id, this.#sql, ArrayPrototypeMap(values, bound));
  }

  async #run() {
    return (await query(this.#id, [statementOf(this)]))[0];
  }

  async all() {
    return resultOf(await this.#run());
  }

  async run() {
    return resultOf(await this.#run());
  }

  async first(column = undefined) {
    const answer = await this.#run();
    if (answer.rows.length === 0) return null;
    if (column === undefined || column === null) return objectsOf(answer)[0];
    const at = ArrayPrototypeIndexOf(answer.columns, String(column));
    if (at === -1) throw failure("D1_COLUMN_NOTFOUND", `Column not found (${column})`);
    return cell(answer.rows[0][at]);
  }

  async raw(options = undefined) {
    const { columns, rows } = await this.#run();
    const cells = ArrayPrototypeMap(rows, (row) => ArrayPrototypeMap(row, cell));
    if (options?.columnNames !== true) return cells;
    const named = [columns];
    for (const row of new SafeArrayIterator(cells)) ArrayPrototypePush(named, row);
    return named;
  }
}

async function batchOf(id, statements) {
  const list = ArrayPrototypeMap(ArrayIsArray(statements) ? statements : [], (statement) => {
    if (!(statement instanceof D1PreparedStatement)) {
      throw failure("D1_ERROR", "batch() takes statements that prepare() has made.");
    }
    return statementOf(statement);
  });
  return ArrayPrototypeMap(await query(id, list), resultOf);
}

/** A session: there is one copy of the database, so it always reads what was written. */
class D1DatabaseSession {
  #id;

  constructor(id) {
    this.#id = id;
  }

  prepare(sql) {
    return new D1PreparedStatement(this.#id, String(sql), []);
  }

  batch(statements) {
    return batchOf(this.#id, statements);
  }

  getBookmark() {
    return "00000000-00000000-00000000-00000000000000000000000000000000";
  }
}

export class D1Database {
  #id;

  /** @param {string} id of the database in the configuration */
  constructor(id) {
    this.#id = id;
  }

  prepare(sql) {
    return new D1PreparedStatement(this.#id, String(sql), []);
  }

  batch(statements) {
    return batchOf(this.#id, statements);
  }

  async exec(sql) {
    const text = StringPrototypeTrim(String(sql));
    const lines = ArrayPrototypeFilter(StringPrototypeSplit(text, "\n"), (line) => StringPrototypeTrim(line) !== "");
    const refuse = (message) => failure("D1_EXEC_ERROR", `Error in line 1: ${lines[0] ?? ""}: ${message}`);
    try {
      const { 0: count, 1: duration } = await inOrder(this.#id, op_d1_exec(this.#id, text));
      if (count === 0) throw refuse(NOTHING);
      return { count: lines.length, duration };
    } catch (error) {
      if (error.code === undefined) throw error;
      throw refuse(described(error));
    }
  }

  withSession(_constraint = undefined) {
    return new D1DatabaseSession(this.#id);
  }

  async dump() {
    return ArrayBufferViewPrototypeGetBuffer(await op_d1_dump(this.#id));
  }
}
