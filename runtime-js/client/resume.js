// The client's end of a line that outlives its connections, by the protocol `liveline.v1`: it numbers frames, sends
// them again, and decides when to connect. It does no I/O: time and randomness are arguments, and its actions are calls
// of `out`.

import { domException } from "../errors/exceptions.js";

/** The most that may be queued for a connection, in UTF-16 units. */
const MAX_QUEUE = 1 << 20;
/**
 * The most that is received before it is acknowledged: frames, UTF-16 units, and milliseconds since the first of them.
 */
const CONFIRM_COUNT = 32;
const CONFIRM_SIZE = 1 << 16;
const CONFIRM_MS = 1_000;
/** The longest pause before the first retry, which doubles up to the second constant, in milliseconds. */
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;
/** How long a connection may take until the host's welcome, in milliseconds. */
const WELCOME_MS = 5_000;
/** After this many intervals between pings of the host without a frame, the connection counts as lost. */
const MISSED_PINGS = 2.4;
/** After this many intervals without a frame, a ping is overdue. */
const LATE = 1.3;
/** How long the host waits for a connection, in milliseconds, as long as it has not sent its own limit. */
const WINDOW_MS = 30_000;

/**
 * The actions of a line.
 * @typedef {object} Outputs
 * @property {(url: string) => void} connect opens a connection; an earlier one is dropped
 * @property {(text: string) => void} write sends a frame on the connection
 * @property {(code: number, reason: string) => void} hangUp closes the connection, and with it the line
 * @property {() => void} opened the line is open
 * @property {(text: string) => void} deliver an envelope came
 * @property {() => void} away the connection was lost
 * @property {(isLate: boolean) => void} late the host's ping is overdue; with false, a frame has come after all
 * @property {(missed: boolean) => void} resumed there is a new connection; `missed`: envelopes are lost, a state
 * follows
 * @property {(code: number, reason: string, wasClean: boolean) => void} closed the last call
 */

export class ResumableLine {
  #url;
  #out;
  #random;
  #window = WINDOW_MS;
  /** The longest silence of the host, in milliseconds. */
  #silence = Infinity;
  /** The numbers of the last envelopes in each direction. */
  #received = 0;
  #sent = 0;
  /** Own frames that the host has not acknowledged; the last one has the number `#sent`. */
  #unconfirmed = [];
  #size = 0;
  /** Frames and UTF-16 units since the last acknowledgement. */
  #count = 0;
  #length = 0;

  #wasWelcome = false;
  /** Whether the host has welcomed this connection. */
  #isOn = false;
  /**
   * Whether the host has reported on this connection that envelopes are lost, so that the next number may skip some.
   */
  #mayJump = false;
  /** The code and reason with which this side has closed the line; null while it is open. */
  #ending = null;
  #isOver = false;
  #attempts = 0;

  // Times of the next actions; Infinity for none.
  #confirmAt = Infinity;
  /** When to connect. There is no connection until then. */
  #retryAt = Infinity;
  /** When a connection without frames counts as lost. */
  #patienceAt;
  /** When a ping of the host counts as overdue, and whether one does. */
  #lateAt = Infinity;
  #isLate = false;
  /** Until when the host waits for a connection. */
  #overAt = Infinity;

  /**
   * The first connection is open already.
   * @param {string} url the line's address
   * @param {Outputs} out
   * @param {number} now milliseconds, as everywhere
   * @param {() => number} [random] from 0 to 1
   */
  constructor(url, out, now, random = Math.random) {
    this.#url = new URL(url);
    this.#out = out;
    this.#random = random;
    this.#patienceAt = now + WELCOME_MS;
  }

  /** Whether the line has ended. */
  get isOver() {
    return this.#isOver;
  }

  /** The time at which `tick` has to be called. */
  get due() {
    return Math.min(this.#confirmAt, this.#retryAt, this.#patienceAt, this.#lateAt);
  }

  /** To be called at the time `due`. */
  tick(now) {
    if (this.#isOver) return;
    if (now >= this.#patienceAt) this.lost(now);
    if (now >= this.#confirmAt) this.#confirm();
    if (now >= this.#lateAt) {
      this.#lateAt = Infinity;
      this.#setLate(true);
    }
    if (now < this.#retryAt) return;
    this.#retryAt = Infinity;
    this.#patienceAt = now + WELCOME_MS;
    this.#url.searchParams.set("after", this.#received);
    this.#out.connect(this.#url.href);
  }

  /** The network may be available again. */
  online(now) {
    if (this.#retryAt === Infinity) return;
    this.#retryAt = now;
    this.tick(now);
  }

  /** The connection was lost, or could not be opened. */
  lost(now) {
    if (this.#isOver || this.#retryAt !== Infinity) return;
    if (this.#overAt === Infinity) {
      this.#overAt = now + this.#window;
      this.#attempts = 0;
      if (this.#wasWelcome && this.#ending === null) this.#out.away();
    } else if (now >= this.#overAt) {
      return this.closed(1006, "", false);
    }
    this.#isOn = false;
    this.#confirmAt = this.#patienceAt = this.#lateAt = Infinity;
    this.#isLate = false;
    const most = Math.min(FIRST_RETRY_MS * 2 ** this.#attempts, MAX_RETRY_MS);
    this.#attempts += 1;
    // The last attempt is made when the host stops waiting, even if this timer fires late.
    this.#retryAt = Math.min(now + this.#random() * most, this.#overAt);
  }

  /** The host has closed the line, or does not have it. */
  closed(code, reason, wasClean) {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#ending === null) this.#out.closed(code, reason, wasClean);
  }

  /** A frame came on the connection. */
  heard(text, now) {
    if (this.#isOver || this.#retryAt !== Infinity) return;
    const kind = text[0];
    if (kind === "w") return this.#welcomed(JSON.parse(text.slice(1)), now);
    if (!this.#isOn) return this.lost(now);
    if (kind === "a") this.#forget(Number(text.slice(1)));
    this.#listen(now);
    const end = text.indexOf(" ");
    const number = Number(text.slice(0, end));
    // Drops frames that were received before, and unknown control frames.
    if (!(number > this.#received) || this.#ending !== null) return;
    if (number > this.#received + 1 && !this.#mayJump) return this.lost(now);
    this.#mayJump = false;
    this.#received = number;
    this.#count += 1;
    this.#length += text.length;
    if (this.#count >= CONFIRM_COUNT || this.#length >= CONFIRM_SIZE) this.#confirm();
    else this.#confirmAt = Math.min(this.#confirmAt, now + CONFIRM_MS);
    this.#out.deliver(text.slice(end + 1));
  }

  /** Sends an envelope, now or on the next connection. */
  send(text) {
    if (this.#isOver || this.#ending !== null) return;
    if (!this.#isOn && this.#size + text.length > MAX_QUEUE) {
      throw domException("QuotaExceededError", `More than ${MAX_QUEUE} characters wait for the line.`);
    }
    this.#sent += 1;
    const frame = `${this.#sent} ${text}`;
    this.#unconfirmed.push(frame);
    this.#size += frame.length;
    if (this.#isOn) this.#out.write(frame);
  }

  /** Closes the line. Without a connection, the close is sent on the next one. */
  close(code, reason) {
    if (this.#isOver || this.#ending !== null) return;
    this.#ending = [code, reason];
    if (this.#isOn) this.#out.hangUp(code, reason);
  }

  #welcomed({ token, window, ping = Infinity, received, lost }, now) {
    this.#url.pathname = this.#url.pathname.replace(/[^/]*$/, token);
    this.#window = window;
    this.#silence = MISSED_PINGS * ping;
    this.#isOn = true;
    this.#mayJump = lost;
    this.#overAt = Infinity;
    this.#forget(received);
    this.#listen(now);
    this.#confirm();
    for (const frame of this.#unconfirmed) this.#out.write(frame);
    if (this.#ending !== null) return this.#out.hangUp(...this.#ending);
    const isBack = this.#wasWelcome;
    this.#wasWelcome = true;
    if (isBack) this.#out.resumed(lost);
    else this.#out.opened();
  }

  /** A frame came: moves the limits of silence. */
  #listen(now) {
    this.#patienceAt = now + this.#silence;
    this.#lateAt = now + this.#silence * LATE / MISSED_PINGS;
    if (this.#isLate) this.#setLate(false);
  }

  #setLate(isLate) {
    this.#isLate = isLate;
    this.#out.late?.(isLate);
  }

  /** Acknowledges the received envelopes. */
  #confirm() {
    this.#count = this.#length = 0;
    this.#confirmAt = Infinity;
    this.#out.write(`a${this.#received}`);
  }

  /** Drops the frames up to a number, which the host has received. */
  #forget(number) {
    const count = Math.max(this.#unconfirmed.length - (this.#sent - number), 0);
    for (const { length } of this.#unconfirmed.splice(0, count)) this.#size -= length;
  }
}
