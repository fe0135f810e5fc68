// What a script gets: `t`. Everything it does and sees through it goes into the transcript.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openSocket } from "./socket.mjs";
import { Stream, chosen, open, read, recordedBody } from "./http.mjs";
import { until } from "./patience.mjs";

export class Script {
  /** Texts that differ from run to run, with the names that stand for them in the transcript. */
  hidden = new Map();
  steps = [];
  #host;
  #headers;
  #WebSocket;
  #sockets = [];
  #isAlone;
  #packages;
  #imports = 0;
  #isExact;

  /** `isExact`: bodies are recorded as the text they are, those of errors too. */
  constructor({ host, packages, headers, WebSocket, isAlone, isExact = false }) {
    this.#host = host;
    this.#packages = packages;
    this.#headers = headers;
    this.#WebSocket = WebSocket;
    this.#isAlone = isAlone;
    this.#isExact = isExact;
  }

  /** Where the host listens: `http://127.0.0.1:PORT`. */
  get origin() {
    return this.#host.origin;
  }

  /** What the host logged so far. */
  get log() {
    return this.#host.log();
  }

  /**
   * Sends a request, records the answer, and returns `{status, headers, body, text, json}`. `init` has `headers` and
   * `body` (text, bytes, or a value to be sent as JSON); `init.as` is the name of the step if the path is long; with
   * `init.chunked` the body has no length, and with `init.brief` only the length of the answer is recorded.
   */
  async request(method, path, init = {}) {
    const answer = await this.ask(method, path, init);
    const { status, headers } = answer;
    const body = init.brief ? { length: answer.body.length } : recordedBody(answer.body, this.#isExact ? "" : headers["content-type"]);
    // Pages about errors are each host's own.
    const isErrorPage = status >= 500 && init.errorText !== true && !this.#isExact && typeof body === "string";
    const kept = chosen(headers, this.#headers);
    // It has no body: whether a host writes that its length is 0 does not matter.
    if (status === 204) delete kept["content-length"];
    const recorded = { status, headers: kept, body: isErrorPage ? "<error page>" : body };
    if (isErrorPage) delete recorded.headers["content-type"];
    this.#record(init.as ?? `${method} ${path}`, { answer: recorded });
    return answer;
  }

  /** The same for a GET with these headers. */
  get(path, headers = {}) {
    return this.request("GET", path, { headers });
  }

  /** Sends a request without recording anything: for `until`, and to prepare something. */
  async ask(method, path, init = {}) {
    const response = await open(this.origin, method, path, init);
    const body = await read(response, `the answer to ${method} ${path}`);
    return {
      status: response.statusCode,
      headers: response.headers,
      body,
      text: body.toString("utf8"),
      get json() {
        try {
          return JSON.parse(this.text);
        } catch {
          throw new Error(`${method} ${path} was answered ${this.status} and no JSON: ${this.text.slice(0, 500)}`);
        }
      },
    };
  }

  /** Sends a request, records the head of the answer, and returns its body as a `Stream`. */
  async stream(method, path, init = {}) {
    const name = init.as ?? `${method} ${path}`;
    const response = await open(this.origin, method, path, init);
    this.#record(name, { answer: { status: response.statusCode, headers: chosen(response.headers, this.#headers) } });
    return new Stream(response, (step) => this.#record(`${name}, body`, step));
  }

  /** Opens a WebSocket. `init` has `headers`, `protocols`, and `as`: its name in the transcript. */
  async socket(path, { as, ...init } = {}) {
    const name = as ?? `socket ${this.#sockets.length + 1}`;
    const url = this.origin.replace("http", "ws") + path;
    const socket = await openSocket(this.#WebSocket, url, init, (step) => this.#record(name, step), this.#headers);
    this.#sockets.push(socket);
    return socket;
  }

  /** Imports a file of the oracle's packages, each time as a module of its own. */
  import(file) {
    this.#imports += 1;
    const url = pathToFileURL(join(this.#packages, "node_modules", file));
    return import(`${url}?${this.#imports}`);
  }

  /** The class of the harness's WebSockets, for libraries that expect it as a global. */
  get WebSocket() {
    return this.#WebSocket;
  }

  /** Records a value that the script has found out otherwise. */
  note(name, value) {
    this.#record(`note: ${name}`, { value });
  }

  /** Calls `probe` until its result is true; records nothing, and returns the result. */
  until(probe, what) {
    return until(probe, what);
  }

  /** Lets `text` appear in the transcript as `<name>`. */
  hide(text, name) {
    this.hidden.set(text, name);
  }

  /** Ends the host, with `kill: true` by SIGKILL, and starts it with the same stored data. Needs `alone = true`. */
  async restart({ kill = false } = {}) {
    if (!this.#isAlone) throw new Error("a script that restarts the host must export `alone = true`");
    this.#record("restart", { kill });
    await this.#host.restart({ kill });
  }

  /** Has the host deliver a scheduled event now; records the outcome. */
  async scheduled(cron) {
    const url = new URL("/cdn-cgi/handler/scheduled", this.#host.origin);
    url.searchParams.set("cron", cron);
    this.#record(`scheduled ${cron}`, { outcome: await (await fetch(url)).text() });
  }

  /** Ends what the script left open. */
  end() {
    for (const socket of this.#sockets) socket.drop();
  }

  #record(step, fields) {
    this.steps.push({ step, ...fields });
  }
}
