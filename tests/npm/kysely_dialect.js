// Kysely on liveline:sql.

import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import { client } from "liveline:sql";

/** Runs Kysely's statements in the server's database, or in that of another client of liveline:sql. */
export class LivelineDialect {
  #database;

  constructor(database = client) {
    this.#database = database;
  }

  createAdapter() {
    return new SqliteAdapter();
  }

  createDriver() {
    return new Driver(this.#database);
  }

  createIntrospector(db) {
    return new SqliteIntrospector(db);
  }

  createQueryCompiler() {
    return new SqliteQueryCompiler();
  }
}

class Driver {
  #database;

  constructor(database) {
    this.#database = database;
  }

  async init() {}

  async acquireConnection() {
    return new Connection(this.#database);
  }

  async beginTransaction(connection) {
    await connection.begin();
  }

  async commitTransaction(connection) {
    await connection.end(null);
  }

  async rollbackTransaction(connection) {
    await connection.end(new Error("rolled back"));
  }

  async releaseConnection() {}

  async destroy() {}
}

class Connection {
  #database;
  /** What runs statements: the database, or the transaction that is open. */
  #runs;
  #finish = null;
  #finished = null;

  constructor(database) {
    this.#database = this.#runs = database;
  }

  async executeQuery({ sql, parameters }) {
    const { rows, changes, lastInsertRowid } = await this.#runs.query(sql, parameters);
    return { rows, numAffectedRows: BigInt(changes), insertId: lastInsertRowid === null ? undefined : BigInt(lastInsertRowid) };
  }

  async *streamQuery(query) {
    yield await this.executeQuery(query);
  }

  /** The transaction lasts until `end` is called: its callback waits for that. */
  begin() {
    return new Promise((began, failed) => {
      this.#finished = this.#database.transaction((transaction) => {
        this.#runs = transaction;
        return new Promise((commit, rollBack) => {
          this.#finish = (error) => (error === null ? commit() : rollBack(error));
          began();
        });
      });
      this.#finished.catch(failed);
    });
  }

  /** Commits, or with an error rolls back. */
  async end(error) {
    this.#runs = this.#database;
    this.#finish(error);
    await this.#finished.catch((reason) => {
      if (reason !== error) throw reason;
    });
  }
}
