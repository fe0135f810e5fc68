import EventEmitter from "eventemitter3";

export default () => {
  const emitter = new EventEmitter();
  const seen = [];
  emitter.on("a", (value) => seen.push(value)).once("a", (value) => seen.push(-value));
  emitter.emit("a", 1);
  emitter.emit("a", 2);
  return { seen, listeners: emitter.listenerCount("a") };
};
