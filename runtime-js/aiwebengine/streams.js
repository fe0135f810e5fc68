// Streams: each is a topic of the stream's path, which the host delivers to its clients as server-sent events. A stream
// outlives the code; one that the newest code does not register any more ends, and its clients are kept from coming
// back.

import { op_exchange_plain } from "ext:core/ops";
import { answerTopic } from "ext:liveline/topic/answer.js";
import { topic } from "ext:liveline/topic/topic.js";
import { print, WARNING } from "ext:liveline/log.js";
import {
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  JSONParse,
  JSONStringify,
  ObjectEntries,
  Response,
  SafeArrayIterator,
  SafeMap,
  SafeSet,
  String,
  StringPrototypeSlice,
  SyntaxError,
  TypeError,
} from "ext:liveline/primordials.js";
import { addStream, checkPath, namesOf, scripts, streams } from "ext:liveline_aiwebengine/registry.js";
import { contextOf } from "ext:liveline_aiwebengine/request.js";

/** The topic in which the generations of the code leave which streams there are, and which have ended. */
const LIST = "liveline.aiwebengine";
/** As long as a topic may be unused, in milliseconds: as good as for ever. */
const FOR_EVER = 1e12;
/** Where streams of GraphQL subscriptions are: they are no streams for everybody. */
const SUBSCRIPTIONS = "/graphql/subscription/";
/** How many clients a client that reconnects waits for, in messages that are kept. */
const HISTORY = 1000;

/** What the project sets. */
let options = { __proto__: null };

export function configureStreams(set) {
  options = set ?? options;
}

/** Settings of the topics of streams. */
function settings() {
  const all = { history: options.streamHistory ?? HISTORY };
  if (options.streamRate > 0) all.rate = options.streamRate;
  return all;
}

/** Topics that were made ready in this isolate. */
const ready = new SafeSet();

/** The topic of a stream. */
export function topicOf(path) {
  const found = topic(path);
  if (ready.has(path)) return found;
  try {
    // The first use decides what a topic carries.
    found.create("text/plain");
  } catch {
    // Another dialect's topic of this name carries JSON.
  }
  topic(path, settings());
  ready.add(path);
  return found;
}

export function registerStream(script, call, path, customizer = undefined) {
  checkPath(call, path, "stream");
  try {
    topic(path).latest;
  } catch (error) {
    throw new TypeError(`Invalid stream path: ${error.message}. ${call} was called with "${path}".`);
  }
  addStream(script, path, customizer);
  if (hasStarted) publishList();
  return `Web stream '${path}' registered`;
}

/** Data as the text of a message: strings as they are, everything else as JSON. */
export function encoded(call, data) {
  if (typeof data === "string") return data;
  let json;
  try {
    json = JSONStringify(data);
  } catch (error) {
    throw new TypeError(`${call}: the message cannot be JSON: ${error.message}`);
  }
  if (json === undefined) throw new TypeError(`${call}: ${data === undefined ? "undefined" : typeof data} is no message.`);
  return json;
}

/** Publishes a message. Returns how many clients receive it, as far as that is known at once. */
export function publish(path, text, options = undefined) {
  const target = topicOf(path);
  let published;
  try {
    published = target.publish(text, options);
  } catch (error) {
    if (error?.name !== "TypeError" && error?.name !== "Error") throw error;
    // It was closed by code that did not register it.
    ready.delete(path);
    target.delete();
    published = topicOf(path).publish(text, options);
  }
  return published.subscribers;
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Sends a message to all streams of a script's app. */
export function broadcast(script, data) {
  const text = encoded("sendStreamMessage()", data);
  let count = 0, clients = 0;
  for (const stream of streams.values()) {
    if (stream.script.app !== script.app) continue;
    clients += publish(stream.path, text);
    count += 1;
  }
  return `Stream message sent to ${plural(clients, "connection")} on ${plural(count, "stream")}`;
}

/** Sends a message to one stream. */
export function sendTo(call, path, data, options = undefined) {
  if (!streams.has(path) && !isListed(path)) {
    throw new TypeError(`Error: no stream is registered for '${String(path)}'. ${call}: the streams are ${namesOf(streams)}.`);
  }
  return `Stream message sent to ${plural(publish(path, encoded(call, data), options), "connection")} on stream '${path}'`;
}

/** The filter of a message: an object, or its JSON. */
export function readFilter(call, filter, mode) {
  if (mode !== undefined && mode !== null && mode !== "subset" && mode !== "overlap") {
    throw new TypeError(`Error: Invalid filter mode. ${call}: the mode is "subset" or "overlap", not ${String(mode)}.`);
  }
  let pairs = filter;
  if (typeof filter === "string") {
    try {
      pairs = filter === "" ? {} : JSONParse(filter);
    } catch (error) {
      throw new SyntaxError(`Error: Invalid filter JSON. ${call}: ${error.message}`);
    }
  }
  pairs ??= {};
  if (typeof pairs !== "object") throw new TypeError(`Error: Invalid filter. ${call}: it is an object of strings.`);
  return { filter: pairs, mode: mode ?? "subset" };
}

/** Answers a request for a stream: with the stream. */
export async function answerStream(exchange, stream) {
  const { script, customizer, path } = stream;
  const context = contextOf(exchange, undefined, "streamCustomization");
  let metadata = context.query;
  if (customizer !== undefined) {
    metadata = await script.resolve(customizer, `the stream ${path}`)(context) ?? {};
    if (metadata !== null && typeof metadata === "object" && metadata.status !== undefined) return metadata;
  }
  return follow(exchange, path, stringsOf(metadata));
}

/** Answers with the messages of a topic as server-sent events, whatever the client accepts. */
export function follow(exchange, path, metadata = undefined) {
  const followed = topicOf(path);
  const followOptions = { events: true };
  if (metadata !== undefined) followOptions.metadata = metadata;
  if (options.replay > 0) followOptions.replay = options.replay;
  const answer = followed.stream(followOptions);
  exchange.carried = answerTopic(exchange, answer);
  return answer;
}

function stringsOf(pairs) {
  const all = { __proto__: null };
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(pairs))) {
    if (name === "lastEventId") continue;
    all[name] = typeof value === "object" ? JSONStringify(value) : String(value);
  }
  return all;
}

// -- generations -------------------------------------------------------------------------------------------------------

let hasStarted = false;

/** What the generations have left: streams by path with the script of each, and paths that have ended. */
function readList() {
  const { data } = topic(LIST).latest ?? { __proto__: null };
  return data ?? { streams: {}, ended: [] };
}

/** Streams of the newest generation, with the scripts of each. */
function current() {
  const all = {};
  for (const { path, script } of streams.values()) all[path] = script.name;
  return all;
}

function isListed(path) {
  return readList().streams[path] !== undefined;
}

/** A stream that another isolate has registered while it handled a request. */
export function listedStream(path) {
  const name = readList().streams[path];
  if (name === undefined) return undefined;
  for (const script of scripts.values()) if (script.name === name) return { path, script, customizer: undefined };
  return undefined;
}

/** Whether a path was a stream that no code registers any more. */
export const hasEnded = (path) => ArrayPrototypeIncludes(readList().ended, path);

/** All handlers are loaded: streams that are not there any more end. */
export function startStreams() {
  hasStarted = true;
  publishList();
}

function publishList() {
  topic(LIST, { latest: true, idle: FOR_EVER });
  const before = readList(), now = current();
  // A script that has failed keeps its streams.
  const failed = new SafeMap();
  for (const script of scripts.values()) if (!script.hasLoaded) failed.set(script.name, true);
  const ended = [];
  for (const path of new SafeArrayIterator(before.ended)) if (now[path] === undefined) ArrayPrototypePush(ended, path);
  for (const { 0: path, 1: script } of new SafeArrayIterator(ObjectEntries(before.streams))) {
    if (now[path] !== undefined) continue;
    if (failed.has(script)) now[path] = script;
    else ArrayPrototypePush(ended, path);
  }
  for (const { 0: path } of new SafeArrayIterator(ObjectEntries(now))) {
    if (ArrayPrototypeIncludes(before.ended, path)) topic(path).delete();
    ready.delete(path);
    topicOf(path);
  }
  for (const path of new SafeArrayIterator(ended)) {
    if (!ArrayPrototypeIncludes(before.ended, path)) endStream(path);
  }
  const list = { streams: now, ended };
  if (JSONStringify(list) !== JSONStringify(before)) topic(LIST).publish(list);
}

function endStream(path) {
  try {
    topic(path).close();
  } catch (error) {
    print(`the stream ${path} did not end: ${error.message}`, WARNING);
  }
}

/** The answer to a client that comes back to a stream that has ended: an EventSource stops. */
export function endedAnswer(exchange) {
  op_exchange_plain(exchange.id);
  return new Response(null, { status: 204 });
}

/** The path of the stream of a subscription. */
export const pathOfSubscription = (name) => SUBSCRIPTIONS + name;

/** The name of a subscription whose stream a path is; null for others. */
export function subscriptionOf(pathname) {
  for (const prefix of new SafeArrayIterator([SUBSCRIPTIONS, `/engine${SUBSCRIPTIONS}`])) {
    if (pathname.length > prefix.length && StringPrototypeSlice(pathname, 0, prefix.length) === prefix) {
      return StringPrototypeSlice(pathname, prefix.length);
    }
  }
  return null;
}
