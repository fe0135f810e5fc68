// The dialect of LARC: pages use the host's hub, and a site may have `_hub.js`, whose function decides on what they send.
// The host asks one isolate for each message; the others are asked meanwhile.

import { op_background, op_larc_answer, op_larc_begin, op_larc_end, op_larc_next, op_log_error } from "ext:core/ops";
import { isPromise } from "../errors/exceptions.js";
import { JSONParse, JSONStringify, ObjectFreeze, PromisePrototypeThen, TypeError } from "../primordials.js";

/** What becomes of a message, by the host's numbers. */
const PASS = 0;
const REPLACE = 1;
const DROP = 2;
const REFUSE = 3;

/** The function of `_hub.js`. @type {Function | null} */
let decide = null;
/** While this isolate answers. @type {number | null} */
let answering = null;

/** @type {import("./dialects.js").Dialect} */
export const larc = {
  __proto__: null,
  load(module, filename) {
    if (typeof module.default !== "function") {
      throw new TypeError(`${filename} has to export a function as default: (topic, data, ctx) => data`);
    }
    decide = module.default;
    return { __proto__: null };
  },
  start() {
    if (decide === null) return;
    answering = op_larc_begin();
    void answer(answering);
  },
  dispose() {
    if (answering !== null) op_larc_end(answering);
    answering = null;
  },
};

async function answer(id) {
  for (;;) {
    const asked = await op_larc_next(id);
    if (asked === null) return;
    begin(asked);
  }
}

/** Calls the function. What it returns may be a promise, for which no other message waits. */
function begin({ id, caller, topic, data }) {
  op_background(true);
  const ended = (value) => {
    op_background(false);
    end(id, topic, value);
  };
  const failed = (error) => {
    op_background(false);
    fail(id, topic, error);
  };
  try {
    const result = decide(topic, JSONParse(data), ObjectFreeze(JSONParse(caller)));
    if (isPromise(result)) PromisePrototypeThen(result, ended, failed);
    else ended(result);
  } catch (error) {
    failed(error);
  }
}

function end(id, topic, value) {
  if (value === undefined || value === true) return op_larc_answer(id, PASS, "");
  if (value === false || value === null) return op_larc_answer(id, DROP, "");
  let json;
  try {
    json = JSONStringify(value);
  } catch (error) {
    return fail(id, topic, error);
  }
  if (json === undefined) {
    return fail(id, topic, new TypeError("_hub.js returned what JSON cannot have; return data, true or false"));
  }
  op_larc_answer(id, REPLACE, json);
}

/** Refuses a message. The page receives the text of an error that has `expose`, as those of web frameworks do. */
function fail(id, topic, error) {
  const isForPage = error !== null && typeof error === "object" && error.expose === true;
  if (!isForPage) op_log_error(`_hub.js for ${topic}`, error);
  op_larc_answer(id, REFUSE, isForPage ? `${error.message}` : "refused");
}
