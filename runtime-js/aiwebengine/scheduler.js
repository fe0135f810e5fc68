// `schedulerService`: handlers that run once, or again and again. Times are kept in SQLite; of all isolates that know a
// time, one runs its handler.

import { op_background, op_log_error, op_schedule_claim, op_schedule_clear, op_schedule_keep, op_schedule_set, op_trigger_begin } from "ext:core/ops";
import { startLong } from "ext:liveline/event/wait.js";
import { setTimeout } from "ext:liveline/timers.js";
import {
  ArrayPrototypePush,
  Date,
  DateNow,
  DatePrototypeGetTime,
  DatePrototypeToISOString,
  MathMax,
  Number,
  NumberIsFinite,
  RangeError,
  SafeArrayIterator,
  SafeMap,
  String,
  TypeError,
} from "ext:liveline/primordials.js";
import { nameOf } from "ext:liveline_aiwebengine/registry.js";
import { plainContext } from "ext:liveline_aiwebengine/request.js";

/** The shortest interval, in milliseconds. */
const SHORTEST = 100;

/** By key. @type {Map<string, { key, script, handler, name, at, interval }>} */
const schedules = new SafeMap();
let isRunning = false;
let hasStopped = false;

function timeOf(call, value) {
  const time = typeof value === "number" ? value : DatePrototypeGetTime(new Date(value));
  if (!NumberIsFinite(time)) throw new RangeError(`${call}: ${String(value)} is no time; write it as 2030-01-01T00:00:00Z.`);
  return time;
}

function keep(script, call, handler, name, at, interval) {
  if (typeof handler !== "string" && typeof handler !== "function") {
    throw new TypeError(`${call}: handler is the name of a function of the script.`);
  }
  const known = name === undefined || name === null ? nameOf(handler) : String(name);
  const key = `${script.name} ${known}`;
  const schedule = { key, script, handler, name: known, at, interval };
  schedules.set(key, schedule);
  if (isRunning) begin(schedule);
  return `Schedule ${known} registered for ${DatePrototypeToISOString(new Date(at))}`;
}

export function schedulerOf(script) {
  return {
    __proto__: null,
    registerOnce({ handler, runAt, name }) {
      const call = "schedulerService.registerOnce()";
      if (runAt === undefined) throw new TypeError(`${call}: runAt is missing.`);
      return keep(script, call, handler, name, timeOf(call, runAt), 0);
    },
    registerRecurring({ handler, intervalMilliseconds, intervalMinutes, name, startAt }) {
      const call = "schedulerService.registerRecurring()";
      const interval = Number(intervalMilliseconds ?? Number(intervalMinutes) * 60_000);
      if (!(interval >= SHORTEST)) {
        throw new RangeError(`${call}: intervalMilliseconds is at least ${SHORTEST}, or intervalMinutes at least 1.`);
      }
      if (intervalMilliseconds === undefined && !(intervalMinutes >= 1)) throw new RangeError(`${call}: intervalMinutes is at least 1.`);
      const at = startAt === undefined || startAt === null ? DateNow() + interval : timeOf(call, startAt);
      return keep(script, call, handler, name, at, interval);
    },
    clearAll() {
      for (const { key, script: owner } of [...schedules.values()].values()) if (owner === script) schedules.delete(key);
      op_schedule_clear(`${script.name} `);
      return "All schedules cleared";
    },
  };
}

/** The newest code serves: its schedules are those that count. */
export function startSchedules() {
  isRunning = true;
  const keys = [];
  for (const key of schedules.keys()) ArrayPrototypePush(keys, key);
  op_schedule_keep(keys);
  if (schedules.size === 0) return;
  op_trigger_begin();
  for (const schedule of new SafeArrayIterator([...schedules.values()])) begin(schedule);
}

export function stopSchedules() {
  hasStopped = true;
}

/** The time that the store has for a schedule; 0 if it ran. */
const begin = (schedule) => wait(schedule, op_schedule_set(schedule.key, schedule.at, schedule.interval));

function wait(schedule, time) {
  if (time === 0 || hasStopped) return;
  startLong(setTimeout, () => {
    if (hasStopped || schedules.get(schedule.key) !== schedule) return;
    const now = DateNow();
    if (now < time) return wait(schedule, time);
    const { interval } = schedule;
    // Times that have passed are left out.
    const next = interval === 0 ? 0 : time + interval * MathMax(1, Number(((now - time) / interval + 1) | 0));
    if (op_schedule_claim(schedule.key, time, next)) void run(schedule, time);
    wait(schedule, next);
  }, MathMax(0, time - DateNow()));
}

async function run({ script, handler, name, interval }, time) {
  op_background(true);
  try {
    const at = DatePrototypeToISOString(new Date(time));
    const schedule = { name, scheduledFor: at, runAt: at, intervalMilliseconds: interval === 0 ? null : interval };
    await script.resolve(handler, `the schedule ${name}`)(plainContext("scheduled", { schedule, scheduledTime: time }));
  } catch (error) {
    op_log_error(`the schedule ${name} of ${script.name}`, error);
  } finally {
    op_background(false);
  }
}
