// `scheduled()` of a Worker: it is called at the times of its cron expressions, and in development by a request.

import { op_background, op_cron_next, op_log_error, op_trigger_begin, op_trigger_claim } from "ext:core/ops";
import { ExecutionContext, Tasks } from "./context.js";
import { currentUrl } from "./url.js";
import { print, WARNING } from "../log.js";
import { startLong } from "../event/wait.js";
import { setTimeout } from "../timers.js";
import {
  DateNow,
  Number,
  NumberIsFinite,
  Response,
  SafeArrayIterator,
  SymbolToStringTag,
  URL,
  URLSearchParamsPrototypeGet,
} from "../primordials.js";

/** Requests that call `scheduled()` in development, as `wrangler dev` has them. */
const PATHS = ["/cdn-cgi/handler/scheduled", "/__scheduled"];

/** What `scheduled()` gets first. */
class ScheduledController {
  constructor(cron, scheduledTime) {
    this.cron = cron;
    this.scheduledTime = scheduledTime;
  }

  /** There are no retries. */
  noRetry() {}

  get [SymbolToStringTag]() {
    return "ScheduledController";
  }
}

/** Begins to wait for the times of cron expressions. */
export function startCrons(crons, handler) {
  if (crons.length === 0) return;
  if (handler === null) {
    return print("The configuration has triggers.crons, and the Worker has no scheduled().", WARNING);
  }
  op_trigger_begin();
  for (const cron of new SafeArrayIterator(crons)) wait(cron, handler, op_cron_next(cron, DateNow()));
}

function wait(cron, handler, time) {
  if (time === 0) return;
  startLong(setTimeout, () => {
    if (DateNow() < time) return wait(cron, handler, time);
    if (op_trigger_claim(cron, time)) void run(cron, handler, time);
    wait(cron, handler, op_cron_next(cron, DateNow()));
  }, time - DateNow() + 1);
}

async function run(cron, handler, time) {
  op_background(true);
  try {
    await handle(cron, handler, time);
  } catch (error) {
    op_log_error(`scheduled() for ${cron}`, error);
  } finally {
    op_background(false);
  }
}

async function handle(cron, handler, time) {
  const tasks = new Tasks();
  try {
    await handler(new ScheduledController(cron, time), new ExecutionContext(tasks));
  } finally {
    await tasks.done();
  }
}

/** Whether the request of an exchange calls `scheduled()`. */
export function isScheduledRequest(exchange) {
  const { pathname } = currentUrl(exchange);
  return pathname === PATHS[0] || pathname === PATHS[1];
}

/** Calls `scheduled()` for a request. Answers when all is done. */
export async function runScheduled(exchange, handler) {
  const { searchParams } = new URL(exchange.url);
  if (handler === null) return new Response("The Worker has no scheduled().\n", { status: 404 });
  const time = Number(URLSearchParamsPrototypeGet(searchParams, "time") ?? DateNow());
  if (!NumberIsFinite(time)) return new Response("`time` is a number of milliseconds.\n", { status: 400 });
  const cron = URLSearchParamsPrototypeGet(searchParams, "cron") ?? "";
  try {
    await handle(cron, handler, time);
  } catch (error) {
    op_log_error(`scheduled() for ${cron}`, error);
    return new Response("exception", { status: 500 });
  }
  return new Response("ok");
}
