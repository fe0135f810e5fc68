// The client's end of a line that outlives its connections, as `liveline.v1` has it: numbers, what is sent again, and
// when to connect. It does no I/O: time is an argument, chance is given, and `out` is called with what is to be done.

import { domException } from "../errors/exceptions.js";

/** What may wait for a connection, in UTF-16 units. */
const MAX_QUEUE = 1 << 20;
/** What may come before it is confirmed: frames, UTF-16 units, and milliseconds since the first of them. */
const CONFIRM_COUNT = 32;
const CONFIRM_SIZE = 1 << 16;
const CONFIRM_MS = 1_000;
/** The longest pause before the first retry; it doubles up to the other. */
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;
/** How long a connection may take until the host has welcomed it. */
const WELCOME_MS = 5_000;
/** After so many of the host's pings nothing is on the way any more. */
const MISSED_PINGS = 2.4;
/** After so many of them one is overdue. */
const LATE = 1.3;
/** How long a host waits of which it is not known. */
const WINDOW_MS = 30_000;

/**
 * What is to be done.
 * @typedef {object} Outputs
 * @property {(url: string) => void} connect opens a connection; an earlier one is dropped
 * @property {(text: string) => void} write sends on the connection
 * @property {(code: number, reason: string) => void} hangUp closes the connection, and with it the line
 * @property {() => void} opened the line is there
 * @property {(text: string) => void} deliver an envelope came
 * @property {() => void} away the connection was lost
 * @property {(isLate: boolean) => void} late the host's ping is overdue; false: something came after all
 * @property {(missed: boolean) => void} resumed there is another; `missed`: some envelopes are gone, a state follows
 * @property {(code: number, reason: string, wasClean: boolean) => void} closed nothing follows
 */

export class ResumableLine {
  #url;
  #out;
  #random;
  #window = WINDOW_MS;
  /** How long the host may be silent. */
  #silence = Infinity;
  /** Numbers of the last envelopes each way. */
  #received = 0;
  #sent = 0;
  /** Own frames that the host may not have; the last one is number `#sent`. */
  #unconfirmed = [];
  #size = 0;
  /** What came since the last confirmation. */
  #count = 0;
  #length = 0;

  #wasWelcome = false;
  /** Whether the host has welcomed this connection. */
  #isOn = false;
  /** Whether the host has reported on this connection that envelopes are lost. */
  #mayJump = false;
  /** How this side has closed the line, until the host knows. */
  #ending = null;
  #isOver = false;
  #attempts = 0;

  // When something is to be done; Infinity where nothing is.
  #confirmAt = Infinity;
  /** When to connect: there is no connection. */
  #retryAt = Infinity;
  /** When a connection on which nothing comes is taken for lost. */
  #patienceAt;
  /** When a ping of the host is overdue, and whether one is. */
  #lateAt = Infinity;
  #isLate = false;
  /** How long the host waits for a connection. */
  #overAt = Infinity;

  /**
   * The first connection is there already.
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

  /** Whether nothing more happens. */
  get isOver() {
    return this.#isOver;
  }

  /** When `tick` has to be called. */
  get due() {
    return Math.min(this.#confirmAt, this.#retryAt, this.#patienceAt, this.#lateAt);
  }

  /** It is `due`. */
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

  /** There may be a network again. */
  online(now) {
    if (this.#retryAt === Infinity) return;
    this.#retryAt = now;
    this.tick(now);
  }

  /** The connection is lost, or could not be had. */
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
    // The last attempt is made when the host stops waiting, and also when this comes late.
    this.#retryAt = Math.min(now + this.#random() * most, this.#overAt);
  }

  /** The host has closed the line, or knows of none. */
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
    // What is known, and control frames that are not.
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

  /** Ends the line. Without a connection, the host gets the close on the next one. */
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

  /** Something came. */
  #listen(now) {
    this.#patienceAt = now + this.#silence;
    this.#lateAt = now + this.#silence * LATE / MISSED_PINGS;
    if (this.#isLate) this.#setLate(false);
  }

  #setLate(isLate) {
    this.#isLate = isLate;
    this.#out.late?.(isLate);
  }

  /** Acknowledges what has come. */
  #confirm() {
    this.#count = this.#length = 0;
    this.#confirmAt = Infinity;
    this.#out.write(`a${this.#received}`);
  }

  /** The host has everything up to a number. */
  #forget(number) {
    const count = Math.max(this.#unconfirmed.length - (this.#sent - number), 0);
    for (const { length } of this.#unconfirmed.splice(0, count)) this.#size -= length;
  }
}
