// A network that loses connections, and a host at its far end that resumes lines, both in simulated time.

import { random } from "./random.mjs";

const PING_MS = 25_000;
const DEAD_MS = 60_000;
const CONFIRM_COUNT = 16;

/** What happens, one thing after the other. */
export class Clock {
  now = 0;
  #events = [];
  #count = 0;

  at(time, act) {
    this.#events.push({ time: Math.max(time, this.now), order: this.#count++, act });
  }

  /** Lets everything happen up to a time. */
  run(until) {
    while (true) {
      const next = this.#events.reduce((first, it) => (first === null || before(it, first) ? it : first), null);
      if (next === null || next.time > until) break;
      this.#events.splice(this.#events.indexOf(next), 1);
      this.now = next.time;
      next.act();
    }
    this.now = until;
  }
}

function before(one, other) {
  return one.time < other.time || (one.time === other.time && one.order < other.order);
}

/** A connection between two ends, each `{ heard(text), closed(code, reason), lost() }`. */
class Connection {
  #clock;
  #dice;
  /** When the last thing on its way to each end arrives. */
  #arrivals = new Map();
  #isCut = false;

  constructor(clock, dice) {
    this.#clock = clock;
    this.#dice = dice;
  }

  /** Brings something to an end, unless the connection is cut before it arrives. */
  bring(end, act) {
    const time = Math.max(this.#arrivals.get(end) ?? 0, this.#clock.now + 1 + this.#dice.below(80));
    this.#arrivals.set(end, time);
    this.#clock.at(time, () => {
      if (!this.#isCut) act();
    });
  }

  /** Cuts it. Each end learns of it at once, later, or seldom not by itself. */
  cut(ends) {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const end of ends) {
      const delay = this.#dice.pick([0, 50, 2_000]);
      if (this.#dice.below(50) > 0) this.#clock.at(this.#clock.now + delay, () => end.lost());
    }
  }
}

/** The host's end of one line, as the contract has it. */
export class ModelHost {
  /** What the handler has heard, and what has become of the line. */
  heard = [];
  end = null;
  /** The network: whether connections get through. */
  isUp = true;
  #clock;
  #dice;
  #window;
  #most;
  #tokens = 0;
  #token = "t0";
  #before = null;
  #connection = null;
  #far = null;
  #near = null;
  #received = 0;
  #unsaid = 0;
  #sent = 0;
  #buffer = [];
  #leftAt = null;
  #ending = null;

  /** @param {number} most how many envelopes it keeps for a client */
  constructor(clock, seed, { window = 30_000, most = Infinity } = {}) {
    this.#clock = clock;
    this.#dice = random(seed);
    this.#window = window;
    this.#most = most;
    // No client has joined yet.
    this.#lost();
    this.#ping();
  }

  /** Whether all that was said has arrived, as far as this end knows. */
  get isQuiet() {
    return this.#buffer.length === 0;
  }

  /** Opens a connection for a client's end; `opened` gets its sending half, `refused` whether the line is unknown. */
  connect(url, far, opened, refused) {
    const [, asked, after] = /\/([^/?]+)\?v=2(?:&after=(\d+))?$/.exec(url);
    const clock = this.#clock;
    const delay = () => 1 + this.#dice.below(80);
    clock.at(clock.now + delay(), () => {
      if (!this.isUp) return clock.at(clock.now + delay(), () => refused(false));
      if (this.end !== null || (asked !== this.#token && asked !== this.#before)) {
        return clock.at(clock.now + delay(), () => refused(true));
      }
      const connection = new Connection(clock, this.#dice);
      const near = {
        heard: (text) => this.#near === near && this.#heard(text),
        closed: (code) => this.#near === near && this.#finish(code),
        lost: () => this.#near === near && this.#lost(),
      };
      this.#connection?.cut([this.#far]);
      [this.#connection, this.#far, this.#near, this.#leftAt] = [connection, far, near, null];
      this.#before = asked;
      this.#tokens += 1;
      this.#token = `t${this.#tokens}`;
      connection.bring(far, () => opened({
        write: (text) => connection.bring(near, () => near.heard(text)),
        hangUp: (code) => connection.bring(near, () => near.closed(code)),
      }));
      const last = Number(after ?? 0);
      const isLost = this.#buffer.length < this.#sent - last;
      const [token, window, received] = [this.#token, this.#window, this.#received];
      this.#write(`w${JSON.stringify({ token, window, ping: PING_MS, received, lost: isLost })}`);
      // It may also acknowledge frames.
      const from = this.#dice.pick([0, last]);
      for (const { number, text } of this.#buffer) {
        if (number > from) this.#write(`${number} ${text}`);
      }
      if (this.#ending !== null) this.#hangUp();
    });
  }

  send(text) {
    if (this.end !== null || this.#ending !== null) return false;
    this.#sent += 1;
    this.#buffer.push({ number: this.#sent, text });
    while (this.#near === null && this.#buffer.length > this.#most) this.#buffer.shift();
    if (this.#near !== null) this.#write(`${this.#sent} ${text}`);
    return true;
  }

  /** The handler is done: the client gets the rest and then the code, also on a later connection. */
  close(code) {
    if (this.#ending !== null) return;
    this.#ending = code;
    if (this.#near !== null) this.#hangUp();
  }

  /** Cuts the connection that there is. */
  cut() {
    this.#connection?.cut([this.#far, this.#near ?? { lost() {} }]);
    const connection = this.#connection;
    // At the latest the pings notice.
    this.#clock.at(this.#clock.now + DEAD_MS, () => {
      if (this.#connection === connection && this.#near !== null) this.#lost();
    });
  }

  #write(text) {
    const far = this.#far;
    this.#connection.bring(far, () => far.heard(text));
  }

  #hangUp() {
    const [far, connection, code] = [this.#far, this.#connection, this.#ending];
    connection.bring(far, () => {
      far.closed(code);
      // The closing handshake.
      if (this.#connection === connection) this.#finish(code);
    });
  }

  #heard(text) {
    this.#before = null;
    if (text[0] === "a") {
      const number = Number(text.slice(1));
      this.#buffer = this.#buffer.filter((frame) => frame.number > number);
      return;
    }
    const number = Number(text.slice(0, text.indexOf(" ")));
    if (number <= this.#received) return;
    if (number > this.#received + 1) throw new Error(`the client left out ${this.#received + 1}: ${text}`);
    this.#received = number;
    this.heard.push(text.slice(text.indexOf(" ") + 1));
    this.#unsaid += 1;
    if (this.#unsaid >= CONFIRM_COUNT) this.#confirm();
  }

  #confirm() {
    this.#unsaid = 0;
    this.#write(`a${this.#received}`);
  }

  #ping() {
    this.#clock.at(this.#clock.now + PING_MS, () => {
      if (this.#near !== null) this.#confirm();
      if (this.end === null) this.#ping();
    });
  }

  #lost() {
    this.#near = null;
    const leftAt = this.#leftAt = this.#clock.now;
    this.#clock.at(leftAt + this.#window, () => {
      if (this.#leftAt === leftAt && this.#near === null) this.#finish(1006);
    });
  }

  #finish(code) {
    this.end ??= code;
  }
}
