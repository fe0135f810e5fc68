// Lines that go from one connection to the next, against a model of the host in simulated time.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ResumableLine } from "../../runtime-js/client/resume.js";
import { random } from "./support/random.mjs";
import { Clock, ModelHost } from "./support/resume.mjs";

const URL_OF_LINE = "http://app.example/.liveline/t0?v=2";
const HISTORIES = 3_000;
const MINUTE = 60_000;

/** What a line asks for, in order. */
function line(options = {}) {
  const asked = [];
  const note = (name) => (...how) => asked.push([name, ...how]);
  const names = ["connect", "write", "hangUp", "opened", "deliver", "away", "late", "resumed", "closed"];
  const out = Object.fromEntries(names.map((name) => [name, note(name)]));
  const it = new ResumableLine(URL_OF_LINE, out, 0, options.random ?? (() => 1));
  return { line: it, take: () => asked.splice(0), asked };
}

function welcome(line, now, { token = "t1", window = 30_000, ping, received = 0, lost = false } = {}) {
  line.heard(`w${JSON.stringify({ token, window, ping, received, lost })}`, now);
}

/** A line that is open. */
function openLine(options) {
  const it = line(options);
  welcome(it.line, 0, options);
  assert.deepEqual(it.take(), [["write", "a0"], ["opened"]]);
  return it;
}

describe("a line that outlives its connections", () => {
  test("says_nothing_before_the_welcome_and_then_what_waited", () => {
    const { line: it, take } = line();
    it.send("x");
    assert.deepEqual(take(), []);
    welcome(it, 10);
    assert.deepEqual(take(), [["write", "a0"], ["write", "1 x"], ["opened"]]);
  });

  test("delivers_each_envelope_once", () => {
    const { line: it, take } = openLine();
    for (const text of ["1 a", "2 b c", "2 b c", "1 a", "3 d"]) it.heard(text, 1);
    assert.deepEqual(take(), [["deliver", "a"], ["deliver", "b c"], ["deliver", "d"]]);
  });

  test("ignores_control_frames_that_it_does_not_know", () => {
    const { line: it, take } = openLine();
    it.heard("z9 9", 1);
    it.heard("1 a", 1);
    assert.deepEqual(take(), [["deliver", "a"]]);
  });

  test("confirms_what_came_by_count_size_and_time", () => {
    const { line: it, take } = openLine();
    for (let number = 1; number <= 32; number++) it.heard(`${number} x`, 5);
    assert.deepEqual(take().at(-2), ["write", "a32"]);
    it.heard(`33 ${"x".repeat(1 << 16)}`, 6);
    assert.deepEqual(take()[0], ["write", "a33"]);
    it.heard("34 x", 10);
    it.heard("35 x", 900);
    assert.equal(it.due, 1_010);
    take();
    it.tick(1_010);
    assert.deepEqual(take(), [["write", "a35"]]);
    assert.equal(it.due, Infinity);
  });

  test("sends_again_what_the_host_does_not_have", () => {
    const { line: it, take } = openLine();
    for (const text of ["a", "b", "c", "d"]) it.send(text);
    it.heard("a1", 2);
    it.lost(3);
    it.send("e");
    take();
    it.tick(it.due);
    assert.deepEqual(take(), [["connect", "http://app.example/.liveline/t1?v=2&after=0"]]);
    welcome(it, 300, { token: "t2", received: 2 });
    assert.deepEqual(take(), [["write", "a0"], ["write", "3 c"], ["write", "4 d"], ["write", "5 e"], ["resumed", false]]);
  });

  test("takes_a_gap_for_a_broken_connection_unless_the_host_says_lost", () => {
    const { line: it, take } = openLine();
    it.heard("1 a", 1);
    it.heard("3 c", 2);
    it.heard("4 d", 3);
    assert.deepEqual(take(), [["deliver", "a"], ["away"]]);
    it.tick(it.due);
    assert.deepEqual(take(), [["connect", "http://app.example/.liveline/t1?v=2&after=1"]]);
    welcome(it, 500, { token: "t2", lost: true });
    it.heard("7 state", 501);
    it.heard("9 x", 502);
    assert.deepEqual(take(), [["write", "a1"], ["resumed", true], ["deliver", "state"], ["away"]]);
  });

  test("tries_again_at_once_then_ever_slower_until_the_window_is_over", () => {
    const { line: it, take } = openLine({ window: 20_000 });
    it.lost(1_000);
    const pauses = [];
    let now = 1_000;
    while (!it.isOver) {
      pauses.push(it.due - now);
      now = it.due;
      it.tick(now);
      it.lost(now);
    }
    assert.deepEqual(pauses, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 2_250]);
    assert.equal(take().filter(([name]) => name === "connect").length, 8);
    assert.equal(now, 21_000);
  });

  test("spreads_retries_by_chance", () => {
    const dice = random(1);
    const firsts = Array.from({ length: 100 }, () => {
      const { line: it } = openLine({ random: () => dice.below(1_000) / 1_000 });
      it.lost(0);
      return it.due;
    });
    assert.ok(Math.min(...firsts) < 25 && Math.max(...firsts) > 225 && Math.max(...firsts) <= 250, firsts.join());
  });

  test("tries_once_more_when_it_was_asleep_for_longer_than_the_window", () => {
    const { line: it, take } = openLine();
    it.lost(1_000);
    take();
    it.tick(10 * MINUTE);
    assert.equal(take()[0][0], "connect");
    it.lost(10 * MINUTE);
    assert.deepEqual(take(), [["closed", 1006, "", false]]);
  });

  test("tries_at_once_when_there_is_a_network_again", () => {
    const { line: it, take } = openLine();
    it.online(1);
    assert.deepEqual(take(), []);
    it.lost(2);
    it.online(3);
    it.online(4);
    assert.deepEqual(take(), [["away"], ["connect", "http://app.example/.liveline/t1?v=2&after=0"]]);
  });

  test("gives_up_connections_that_are_not_welcomed", () => {
    const { line: it, take } = line();
    assert.equal(it.due, 5_000);
    it.tick(5_000);
    it.tick(it.due);
    assert.deepEqual(take(), [["connect", "http://app.example/.liveline/t0?v=2&after=0"]]);
    welcome(it, 6_000);
    assert.deepEqual(take(), [["write", "a0"], ["opened"]]);
  });

  test("gives_up_connections_on_which_the_hosts_pings_do_not_come", () => {
    const { line: it, take } = openLine({ ping: 10_000 });
    assert.equal(it.due, 13_000);
    it.heard("a0", 10_000);
    assert.equal(it.due, 23_000);
    it.tick(23_000);
    assert.deepEqual(take(), [["late", true]]);
    assert.equal(it.due, 34_000);
    it.tick(34_000);
    assert.deepEqual(take(), [["away"]]);
    assert.ok(it.due > 34_000 && it.due <= 34_250);
  });

  test("says_that_a_ping_of_the_host_is_overdue_and_that_it_came_after_all", () => {
    const { line: it, take } = openLine({ ping: 10_000 });
    it.tick(13_000);
    it.heard("a0", 14_000);
    it.heard("a0", 15_000);
    assert.deepEqual(take(), [["late", true], ["late", false]]);
  });

  test("lets_a_connection_be_silent_on_which_no_pings_are_due", () => {
    const { line: it } = openLine();
    it.send("x");
    assert.equal(it.due, Infinity);
  });

  test("keeps_what_is_said_while_away_up_to_a_limit", () => {
    const { line: it, take } = openLine();
    const half = "x".repeat(1 << 19);
    for (let count = 0; count < 4; count++) it.send(half);
    it.heard("a4", 2);
    it.lost(3);
    it.send(half);
    assert.throws(() => it.send(half), (error) => error.name === "QuotaExceededError" && /wait for the line/.test(error.message));
    it.send("small");
    it.tick(it.due);
    take();
    welcome(it, 400, { token: "t2", received: 4 });
    assert.deepEqual(take().slice(1, 3), [["write", `5 ${half}`], ["write", "6 small"]]);
    it.send(half);
  });

  test("ends_with_the_hosts_code_and_says_nothing_after_it", () => {
    const { line: it, take } = openLine();
    it.closed(4001, "gone", true);
    it.heard("1 a", 1);
    it.send("x");
    it.lost(1);
    it.close(1000, "");
    it.tick(MINUTE);
    assert.deepEqual(take(), [["closed", 4001, "gone", true]]);
  });

  test("is_closed_from_this_side_with_all_that_was_said", () => {
    const { line: it, take } = openLine();
    it.lost(1);
    it.send("last words");
    it.close(1000, "bye");
    it.send("too late");
    take();
    it.tick(it.due);
    welcome(it, 300, { token: "t2" });
    assert.deepEqual(take().slice(1), [["write", "a0"], ["write", "1 last words"], ["hangUp", 1000, "bye"]]);
    it.heard("1 a", 301);
    // The close frame may be lost, too.
    it.lost(302);
    it.tick(it.due);
    welcome(it, 600, { token: "t3", received: 1 });
    assert.deepEqual(take().slice(1), [["write", "a0"], ["hangUp", 1000, "bye"]]);
    it.closed(1000, "bye", true);
    assert.deepEqual(take(), []);
  });
});

/** One history: both ends talk, and the network does what it likes. What it returns is for counting. */
function play(seed, { most = Infinity, outages = true } = {}) {
  const dice = random(seed);
  const clock = new Clock();
  const host = new ModelHost(clock, seed + 1, { most });
  const heard = [];
  const seen = { away: 0, resumed: 0, missed: 0, closed: null };
  let sending = null;
  let current = null;
  let isOpen = false;
  let isClosedHere = false;

  const out = {
    connect: (url) => {
      const end = current = {
        heard: (text) => end === current && (line.heard(text, clock.now), plan()),
        closed: (code) => end === current && (line.closed(code, "", true), plan()),
        lost: () => end === current && (line.lost(clock.now), plan()),
      };
      host.connect(url, end, (far) => end === current && (sending = far), (isUnknown) => {
        if (isUnknown) end.closed(1006);
        else end.lost();
      });
    },
    write: (text) => sending.write(text),
    hangUp: (code) => sending.hangUp(code),
    opened: () => isOpen = true,
    deliver: (text) => {
      assert.ok(seen.closed === null && !isClosedHere, `something came after the end: ${text}`);
      heard.push(text);
    },
    away: () => seen.away += 1,
    resumed: (missed) => {
      seen.resumed += 1;
      if (missed) seen.missed += 1;
    },
    closed: (code) => {
      assert.ok(seen.closed === null && !isClosedHere, "it was closed twice");
      seen.closed = code;
      if (code === 1006) host.cut();
    },
  };
  const line = new ResumableLine(URL_OF_LINE, out, 0, () => dice.below(1_000) / 1_000);
  let planned = Infinity;
  const plan = () => {
    const { due } = line;
    if (line.isOver || due === Infinity || due === planned) return;
    planned = due;
    clock.at(due, () => {
      planned = Infinity;
      line.tick(clock.now);
      plan();
    });
  };
  out.connect(URL_OF_LINE);
  plan();

  const said = { host: [], client: [] };
  const rounds = 20 + dice.below(60);
  for (let round = 0; round < rounds; round++) {
    // Before the handshake a host sends nothing.
    for (let count = isOpen ? dice.below(6) : 0; count > 0; count--) {
      const text = `h${said.host.length}`;
      if (host.send(text)) said.host.push(text);
    }
    for (let count = dice.below(6); count > 0 && seen.closed === null; count--) {
      said.client.push(`c${said.client.length}`);
      line.send(said.client.at(-1));
    }
    plan();
    const fault = dice.below(10);
    if (fault < 3) host.cut();
    if (fault === 4 && outages) host.isUp = !host.isUp;
    if (fault === 5) {
      line.online(clock.now);
      plan();
    }
    clock.run(clock.now + dice.pick([0, 1, 10, 100, 500, 3_000]));
    if (outages && dice.below(200) === 0) clock.run(clock.now + MINUTE);
  }
  host.isUp = true;
  const how = dice.below(3);
  if (how === 0) host.close(1000);
  if (how === 1 && seen.closed === null) {
    isClosedHere = true;
    line.close(4321, "");
    plan();
  }
  clock.run(clock.now + 5 * MINUTE);
  return { heard, said, seen, host, how, isClosedHere };
}

function isPrefix(list, of) {
  return list.every((item, index) => item === of[index]);
}

describe("whatever the network does", () => {
  test("everything_comes_once_and_in_order_both_ways", () => {
    const totals = { resumed: 0, whole: 0, lost: 0 };
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const { heard, said, seen, host, how, isClosedHere } = play(seed, { outages: seed % 2 === 0 });
      const name = `seed ${seed}`;
      assert.ok(isPrefix(heard, said.host), `${name}: ${heard}`);
      assert.ok(isPrefix(host.heard, said.client), `${name}: ${host.heard}`);
      assert.equal(seen.missed, 0, name);
      totals.resumed += seen.resumed;
      if (seen.closed === 1006 || host.end === 1006) {
        assert.ok(host.end === 1006 && (isClosedHere || seen.closed === 1006), `${name}: only one side gave up: ${JSON.stringify({ seen, how, end: host.end, isClosedHere })}`);
        totals.lost += 1;
        continue;
      }
      // A client that has closed receives nothing more.
      if (how !== 0) assert.deepEqual(host.heard, said.client, `${name}: the host has everything`);
      if (how !== 1) assert.deepEqual(heard, said.host, `${name}: the client has everything`);
      totals.whole += 1;
      if (how === 0) assert.equal(seen.closed, 1000, name);
      if (how === 1) assert.equal(host.end, 4321, name);
      if (how === 2) assert.equal(host.end, null, name);
    }
    assert.ok(totals.resumed > 5 * HISTORIES && totals.whole > HISTORIES / 2 && totals.lost > 0, JSON.stringify(totals));
  });

  test("a_jump_is_told_of_and_nothing_comes_twice", () => {
    let missed = 0;
    for (let seed = 1; seed <= HISTORIES / 3; seed++) {
      const { heard, said, seen, host } = play(seed, { most: 3 });
      const places = heard.map((text) => said.host.indexOf(text));
      const jumps = places.filter((place, index) => place !== (places[index - 1] ?? -1) + 1).length;
      assert.ok(places.every((place, index) => place > (places[index - 1] ?? -1)), `seed ${seed}: ${heard}`);
      assert.ok(jumps <= seen.missed, `seed ${seed}: ${jumps} jumps, told of ${seen.missed}`);
      assert.ok(isPrefix(host.heard, said.client), `seed ${seed}: ${host.heard}`);
      missed += seen.missed;
    }
    assert.ok(missed > 100, `${missed}`);
  });
});
