// The sockets of actors, with which they may hibernate.

import { op_actor_socket_count, op_actor_socket_forget, op_log_error } from "ext:core/ops";
import { acceptSocket, deliverClose, deliverMessage, heldEnd, pipeOf } from "../websocket/pair.js";
import {
  ArrayFrom,
  ArrayIsArray,
  Error,
  SafeArrayIterator,
  SafeSet,
  String,
} from "../primordials.js";

/** How many tags a socket may have, and how long each may be. */
const MAX_TAGS = 10;
const MAX_TAG = 256;

/** How many sockets an actor may have. */
const MAX_SOCKETS = 32_768;

/** Accepts a socket, with which the actor may hibernate. */
export function acceptHibernating(instance, socket, tags) {
  if (!ArrayIsArray(tags)) throw new Error("acceptWebSocket(): the tags are an array of strings.");
  if (tags.length > MAX_TAGS) {
    throw new Error(
      `a Hibernatable WebSocket cannot have more than ${MAX_TAGS} tags. ${tags.length} tags were provided.`,
    );
  }
  const names = new SafeSet();
  for (const tag of new SafeArrayIterator(tags)) {
    const name = String(tag);
    if (name.length > MAX_TAG) {
      throw new Error(`"${name}" is longer than the max tag length (${MAX_TAG} characters).`);
    }
    names.add(name);
  }
  if (op_actor_socket_count(instance.number) >= MAX_SOCKETS) {
    throw new Error(`only ${MAX_SOCKETS} websockets can be accepted on a single Durable Object instance`);
  }
  acceptSocket(instance, socket, ArrayFrom(names.values()));
}

/** The number of a socket's end of a pipe, for the host; an error if no actor has accepted the socket. */
export function endOf(socket) {
  const pipe = pipeOf(socket);
  if (pipe < 0) throw new Error("This WebSocket was not accepted by acceptWebSocket().");
  return pipe;
}

/** The socket of an end of a pipe. */
export function socketAt(instance, end) {
  return heldEnd(instance, end).socket;
}

/** A message came. `instance` is its actor if that may hibernate with the socket. */
export function receiveMessage(pipe, instance, data) {
  if (instance === undefined) return deliverMessage(pipe, data);
  instance.receive({
    fail() {},
    async run() {
      const { socket } = heldEnd(instance, pipe);
      await call(instance, "webSocketMessage", [socket, data]);
    },
  });
}

/** The other end has closed. */
export function receiveClose(pipe, instance, code, reason, wasClean) {
  if (instance === undefined) return deliverClose(pipe, code, reason, wasClean);
  const forget = () => {
    op_actor_socket_forget(pipe);
    instance.hibernating.delete(pipe);
  };
  instance.receive({
    fail: forget,
    async run() {
      const end = heldEnd(instance, pipe);
      end.closed(code, reason, wasClean);
      try {
        await call(instance, "webSocketClose", [end.socket, code, reason, wasClean]);
      } finally {
        forget();
      }
    },
  });
}

/** Calls a handler of the actor. What it throws has no caller, and is logged. */
async function call(instance, name, args) {
  const { object } = instance;
  if (typeof object[name] !== "function") return;
  try {
    await object[name](args[0], args[1], args[2], args[3]);
  } catch (error) {
    op_log_error(`${name}() of an actor of ${instance.className}`, error);
  }
}
