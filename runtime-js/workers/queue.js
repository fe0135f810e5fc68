// Queues: what Workers send to them, and the batches that `queue()` handles.

import { core } from "ext:core/mod.js";
import {
  op_background,
  op_log_error,
  op_queue_send,
  op_queue_settle,
  op_queue_take,
  op_trigger_begin,
} from "ext:core/ops";
import { ExecutionContext, Tasks } from "./context.js";
import { print, WARNING } from "../log.js";
import {
  ArrayBuffer,
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  ArrayFrom,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  Date,
  Error,
  globalThis,
  JSONParse,
  JSONStringify,
  NumberIsInteger,
  ObjectFreeze,
  SafeArrayIterator,
  String,
  TextEncoder,
  TextEncoderPrototypeEncode,
  TypeError,
  Uint8Array,
} from "../primordials.js";

/** The longest delay, in seconds. */
const MOST_DELAY = 86_400;

const encode = (text) => TextEncoderPrototypeEncode(new TextEncoder(), text);

/** A message as the host stores it. */
function messageOf(body, options, usual) {
  const contentType = options?.contentType ?? "json";
  const delay = options?.delaySeconds ?? usual;
  if (!NumberIsInteger(delay) || delay < 0 || delay > MOST_DELAY) {
    throw new Error(`Queue sendBatch failed: delaySeconds is an integer from 0 to ${MOST_DELAY}, not ${delay}.`);
  }
  return { body: encoded(body, contentType), contentType, delay };
}

function encoded(body, contentType) {
  switch (contentType) {
    case "json": {
      const text = body === undefined ? undefined : JSONStringify(body);
      if (text === undefined) throw new TypeError("A message of a queue is a value that JSON has, and not undefined.");
      return encode(text);
    }
    case "text":
      if (typeof body !== "string") throw new TypeError('A message with the content type "text" is a string.');
      return encode(body);
    case "bytes":
      if (body instanceof ArrayBuffer) return new Uint8Array(body);
      if (ArrayBufferIsView(body)) {
        return new Uint8Array(
          ArrayBufferViewPrototypeGetBuffer(body),
          ArrayBufferViewPrototypeGetByteOffset(body),
          ArrayBufferViewPrototypeGetByteLength(body),
        );
      }
      throw new TypeError('A message with the content type "bytes" is an ArrayBuffer or a view of one.');
    case "v8":
      return core.serialize(core.loadExtScript("ext:deno_web/02_structured_clone.js").structuredClone(body));
    default:
      throw new TypeError(`There is no content type "${contentType}" of messages: json, text, bytes and v8 are.`);
  }
}

function decoded({ contentType, body }) {
  switch (contentType) {
    case "json":
      return JSONParse(new globalThis.TextDecoder().decode(body));
    case "text":
      return new globalThis.TextDecoder().decode(body);
    case "bytes":
      return ArrayBufferViewPrototypeGetBuffer(body);
    default:
      return core.deserialize(body);
  }
}

/** The binding of a queue. */
export class QueueProducer {
  #queue;
  #delay;

  /**
   * @param {string} queue
   * @param {number} delay seconds until a message is delivered, if nothing else is said
   */
  constructor(queue, delay) {
    this.#queue = queue;
    this.#delay = delay;
  }

  async send(body, options = undefined) {
    await op_queue_send(this.#queue, [messageOf(body, options, this.#delay)]);
    return sent();
  }

  async sendBatch(messages, options = undefined) {
    const usual = options?.delaySeconds ?? this.#delay;
    const list = ArrayPrototypeMap(ArrayFrom(messages), (message) => messageOf(message?.body, message, usual));
    if (list.length === 0) throw new TypeError("sendBatch() takes one message at least.");
    await op_queue_send(this.#queue, list);
    return sent();
  }

  async metrics() {
    return sent().metadata.metrics;
  }
}

const sent = () => ({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: undefined } } });

/** What is to become of a message: null until `ack()` or `retry()` decides. */
let fateOf;

class Message {
  #number;
  #fate = null;

  constructor(delivered) {
    this.#number = delivered.number;
    this.id = String(delivered.number);
    this.timestamp = new Date(delivered.sent);
    this.attempts = delivered.attempts;
    this.body = decoded(delivered);
  }

  static {
    fateOf = (message) => ({ number: message.#number, fate: message.#fate });
  }

  ack() {
    this.#fate ??= { isDone: true, delay: null };
  }

  retry(options = undefined) {
    this.#fate ??= { isDone: false, delay: options?.delaySeconds ?? null };
  }
}

class MessageBatch {
  constructor(queue, messages) {
    this.queue = queue;
    this.messages = ObjectFreeze(messages);
    this.metadata = sent().metadata;
  }

  ackAll() {
    for (const message of new SafeArrayIterator(this.messages)) message.ack();
  }

  retryAll(options = undefined) {
    for (const message of new SafeArrayIterator(this.messages)) message.retry(options);
  }
}

/** Begins to consume queues. */
export function startConsumers(consumers, handler) {
  if (consumers.length === 0) return;
  if (handler === null) {
    return print("The configuration has queues.consumers, and the Worker has no queue().", WARNING);
  }
  op_trigger_begin();
  for (const consumer of new SafeArrayIterator(consumers)) void consume(consumer, handler);
}

/** Handles the batches of a queue, one after the other, until the code is replaced. */
async function consume(consumer, handler) {
  while (true) {
    let batch;
    try {
      batch = await op_queue_take(consumer);
    } catch (error) {
      return op_log_error(`the queue ${consumer.queue} cannot be read`, error);
    }
    if (batch === null) return;
    op_background(true);
    try {
      await handle(consumer, handler, batch);
    } catch (error) {
      op_log_error(`the queue ${consumer.queue}`, error);
    } finally {
      op_background(false);
    }
  }
}

async function handle(consumer, handler, delivered) {
  const batch = new MessageBatch(consumer.queue, ArrayPrototypeMap(delivered, (it) => new Message(it)));
  const tasks = new Tasks();
  let hasFailed = false;
  try {
    await handler(batch, new ExecutionContext(tasks));
  } catch (error) {
    hasFailed = true;
    op_log_error(`queue() for ${consumer.queue}`, error);
  }
  await tasks.done();
  const acknowledged = [], retries = [];
  for (const message of new SafeArrayIterator(batch.messages)) {
    const { number, fate } = fateOf(message);
    if (fate?.isDone ?? !hasFailed) ArrayPrototypePush(acknowledged, number);
    else ArrayPrototypePush(retries, { number, delay: fate?.delay ?? null });
  }
  const dropped = await op_queue_settle(consumer, acknowledged, retries);
  if (dropped > 0) {
    print(`${dropped} messages of the queue ${consumer.queue} failed too often and were dropped: it has no ` +
      "dead_letter_queue.", WARNING);
  }
}
