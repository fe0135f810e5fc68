// A topic as the answer of a handler: the host answers by itself, and JavaScript waits for that.

import {
  op_topic_answer,
  op_topic_ended,
  op_topic_forward,
  op_topic_forward_stop,
  op_topic_is_by_line,
  op_topic_latest,
} from "ext:core/ops";
import { messageOf, TopicAnswer } from "./topic.js";

/** Whether a handler's result is a topic. */
export const isTopic = (value) => TopicAnswer.optionsOf(value) !== undefined;

/** Whether the exchange's client follows a topic by its line, where messages are states of the response. */
export const isByLine = (exchange) => exchange.canJoin && op_topic_is_by_line(exchange.id);

/** Answers an exchange with a topic. Resolves when the host has answered. */
export async function answerTopic(exchange, value) {
  exchange.hold();
  try {
    await op_topic_answer(exchange.id, TopicAnswer.optionsOf(value));
  } finally {
    exchange.release();
  }
}

/**
 * The messages of a topic as the states of a response. JavaScript has only the first; the host sends the others, and
 * the generator lasts as long as they may come.
 */
export async function* statesOfTopic(exchange, value) {
  const options = TopicAnswer.optionsOf(value);
  const latest = options.topic === undefined ? null : op_topic_latest(options.topic);
  const after = options.after ?? latest?.id;
  const following = { ...options, fresh: true };
  if (after !== undefined) following.after = after;
  const id = op_topic_forward(exchange.id, following);
  // The generator cannot end while it waits for the topic.
  const stop = () => op_topic_forward_stop(id);
  exchange.onEnd(stop);
  try {
    yield latest === null ? null : messageOf(latest).data;
    await op_topic_ended(id);
  } finally {
    exchange.offEnd(stop);
    stop();
  }
}
