// The sockets of actors, with which they may hibernate.

import { op_log_error } from "ext:core/ops";
import { acceptSocket, deliverClose, deliverMessage, heldEnd, pipeOf } from "../websocket/pair.js";
import { ArrayIsArray, ArrayPrototypeMap, Error, String } from "../primordials.js";

/** Accepts a socket, with which the actor may hibernate. */
export function acceptHibernating(instance, socket, tags) {
  if (!ArrayIsArray(tags)) throw new Error("acceptWebSocket(): the tags are an array of strings.");
  acceptSocket(instance, socket, ArrayPrototypeMap(tags, (tag) => String(tag)));
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
export function receiveMessage(pipe, instance, event, data) {
  if (instance === undefined) return deliverMessage(pipe, data);
  instance.handle(event, async () => {
    const { socket } = heldEnd(instance, pipe);
    await call(instance, "webSocketMessage", [socket, data]);
  });
}

/** The other end has closed. */
export function receiveClose(pipe, instance, event, code, reason, wasClean) {
  if (instance === undefined) return deliverClose(pipe, code, reason, wasClean);
  instance.handle(event, async () => {
    const end = heldEnd(instance, pipe);
    end.closed(code, reason, wasClean);
    try {
      await call(instance, "webSocketClose", [end.socket, code, reason, wasClean]);
    } finally {
      instance.hibernating.delete(pipe);
    }
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
