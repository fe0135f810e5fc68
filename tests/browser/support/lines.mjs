// What goes over the live lines of one window, whatever carries it.

import { Changing } from "./patience.mjs";

/** The lines of a window, in the order in which they were opened. */
export class Lines extends Changing {
  #lines = new Map();

  /** The line with this address; a new one when it was not seen before. */
  at(address) {
    const path = new URL(address).pathname;
    if (!this.#lines.has(path)) this.#lines.set(path, new Line(path, (next) => this.#lines.set(next, line)));
    const line = this.#lines.get(path);
    this.changed();
    return line;
  }

  /** Whether a path is that of a line. */
  static isLine(path) {
    return /^\/\.liveline\/[0-9a-f]{32}$/.test(path);
  }

  /** The line that was opened as number `index`, as soon as it is. */
  nth(index) {
    return this.until(
      () => this.#all[index],
      () => `there was no line ${index}; the lines were:\n${this}`,
    );
  }

  get count() {
    return this.#all.length;
  }

  /** Each once: a line that was resumed has several addresses. */
  get #all() {
    return [...new Set(this.#lines.values())];
  }

  toString() {
    return this.#all.join("\n");
  }
}

/** One line: the application's frames both ways. The handshake is left out. */
class Line extends Changing {
  /** What the host sent. */
  heard = [];
  /** What the client sent. */
  said = [];
  ended = false;
  #address;
  #renamed;
  /** The numbers of the last frames both ways, where they have some. */
  #last = { heard: 0, said: 0 };

  /** @param {(path: string) => void} renamed it will be resumed at this path */
  constructor(address, renamed) {
    super();
    this.#address = address;
    this.#renamed = renamed;
  }

  /** Notes a frame of the host. The last one is as good as the end: browsers do not tell how a page's sockets ended. */
  hear(text) {
    if (text[0] === "w") return this.#renamed(`/.liveline/${JSON.parse(text.slice(1)).token}`);
    this.#note("heard", text);
    if (this.heard.at(-1)?.type === DONE[0]) this.end();
  }

  /** Notes a frame of the client. */
  say(text) {
    this.#note("said", text);
  }

  end() {
    this.ended = true;
    this.changed();
  }

  /** The host's first frame that is of this type and, if there is a `like`, passes it. */
  hears(type, like = () => true) {
    return this.#first("heard", type, like);
  }

  /** The client's first frame that is of this type and, if there is a `like`, passes it. */
  says(type, like = () => true) {
    return this.#first("said", type, like);
  }

  /** Every frame of the host as `[type, message]`, when the line has ended. */
  async toEnd() {
    await this.until(() => this.ended, () => `the line did not end:\n${this}`);
    return this.heard.map(({ type, message }) => [type, message]);
  }

  #first(direction, type, like) {
    return this.until(
      () => this[direction].find((frame) => frame.type === type && like(frame.message)),
      () => `no such ${type} was ${direction}:\n${this}`,
    );
  }

  #note(direction, numbered) {
    const [, number, text] = /^(?:(\d+) |a\d+$)?(.*)$/s.exec(numbered);
    // A frame that is sent again is the same.
    if (text === "" || number <= this.#last[direction]) return;
    this.#last[direction] = Number(number ?? 0);
    const { message = null, ping, ".wq": meta } = JSON.parse(text);
    if (ping === undefined && !isHandshake(message)) {
      this[direction].push({ type: meta.type, id: meta.eventID, ports: meta.numPorts ?? 0, message });
    }
    this.changed();
  }

  toString() {
    const frames = (list) => list.map((frame) => `    ${JSON.stringify(frame)}`).join("\n");
    const end = this.ended ? "ended" : "open";
    return `  ${this.#address} (${end})\n  heard\n${frames(this.heard)}\n  said\n${frames(this.said)}`;
  }
}

/** The answer to a connect ping, and the goodbye to the channel that it came on. */
function isHandshake(message) {
  return message?.isOpen === true || message?.ping === "disconnect";
}

/** The golden frame of a new state. */
export function replace(body, { status = 200, headers = {} } = {}) {
  return ["response.replace", { body, status, statusText: "", headers, type: "basic", url: null, concurrent: false }];
}

/** The golden frame of the end. */
export const DONE = ["response.done", null];

/** What a client needs of delta records; everything else in them is for people. */
export function deltas(frames) {
  return frames.map(([type, records]) => [
    type,
    records?.map?.(({ type, path, value }) => ({ type, path: path.map(String), value })) ?? records,
  ]);
}
