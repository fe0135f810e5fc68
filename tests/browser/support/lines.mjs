// What goes over the live lines of one window, whatever carries it.

import { Changing } from "./patience.mjs";

/** The lines of a window, in the order in which they were opened. */
export class Lines extends Changing {
  #lines = new Map();

  /** The line with this address; a new one when it was not seen before. */
  at(address) {
    const path = new URL(address).pathname;
    if (!this.#lines.has(path)) this.#lines.set(path, new Line(path));
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
      () => [...this.#lines.values()][index],
      () => `there was no line ${index}; the lines were:\n${this}`,
    );
  }

  get count() {
    return this.#lines.size;
  }

  toString() {
    return [...this.#lines.values()].join("\n");
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

  constructor(address) {
    super();
    this.#address = address;
  }

  /** Notes a frame of the host. */
  hear(text) {
    this.#note(this.heard, text);
  }

  /** Notes a frame of the client. */
  say(text) {
    this.#note(this.said, text);
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

  #note(frames, text) {
    const { message = null, ping, ".wq": meta } = JSON.parse(text);
    if (ping === undefined && !isHandshake(message)) {
      frames.push({ type: meta.type, id: meta.eventID, ports: meta.numPorts ?? 0, message });
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
