// What the statements of live functions hold: blocks, the parts of a try, the rounds of loops.
//
// Each is told when a statement in it ends in another way than before (`changed`), and tells the effect that holds it
// how it ends itself. The effects are those of live/live.js; the two files name each other's classes, and neither uses
// the other while it loads.

import { isPromise } from "../errors/exceptions.js";
import { Observer } from "../observer/observer.js";
import { after, ALL, attempt, Effect } from "./live.js";
import {
  ArrayPrototypeAt,
  ArrayPrototypeFilter,
  ArrayPrototypeFindIndex,
  ArrayPrototypeIncludes,
  ArrayPrototypeIndexOf,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSplice,
  Boolean,
  ObjectIs,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  SafeArrayIterator,
  SafeSet,
} from "../primordials.js";

/** A list of statements. What stands after one that returns or breaks does not exist. */
export class Block {
  /** @type {Effect[]} */
  children = [];
  #effect;
  #closures;
  #disposed = false;

  constructor(effect, closures) {
    this.#effect = effect;
    this.#closures = closures;
  }

  /** Runs the statements from `index` on. Gives the completion of the block. */
  proceed(index) {
    for (; index < this.#closures.length && !this.#disposed; index++) {
      const child = new Effect(this.#effect.program, this.#effect, index, this.#closures[index], this);
      ArrayPrototypePush(this.children, child);
      const ran = child.run();
      if (isPromise(ran)) return PromisePrototypeThen(ran, () => child.completion ?? this.proceed(index + 1));
      if (child.completion !== undefined) return child.completion;
    }
    return undefined;
  }

  changed(child, before) {
    const at = ArrayPrototypeIndexOf(this.children, child);
    if (child.completion !== undefined) {
      for (const below of new SafeArrayIterator(ArrayPrototypeSplice(this.children, at + 1))) below.dispose();
      return this.#effect.settle(child.completion);
    }
    if (before === undefined) return undefined;
    return after(this.proceed(ArrayPrototypeAt(child.path, -1) + 1), (completion) => {
      if (!this.#disposed) return this.#effect.settle(completion);
    });
  }

  dispose() {
    this.#disposed = true;
    for (const child of new SafeArrayIterator(this.children)) child.dispose();
  }
}

/** `try`: what its parts throw, now or when something in them runs again, is caught. */
export class Attempt {
  #effect;
  #closures;
  /** The part that is in force, the body or the handler, and the finalizer. */
  #part = null;
  #last = null;

  constructor(effect, ...closures) {
    this.#effect = effect;
    this.#closures = closures;
  }

  start() {
    return this.#finally(attempt(() => this.#run(0), (error) => this.#handle(error)));
  }

  #run(index, argument = undefined) {
    this.#part?.dispose();
    const part = this.#part = new Effect(this.#effect.program, this.#effect, index, this.#closures[index], this, argument);
    return after(part.run(), () => part.completion);
  }

  #handle(error) {
    // The body that failed is tried again when something that it read has changed.
    this.#effect.inherit(this.#part);
    if (this.#closures[1] !== undefined) return this.#run(1, error);
    this.#part.dispose();
    throw error;
  }

  /** The finalizer runs whatever happened; how it ends counts more than how the part before it did. */
  #finally(ended) {
    if (this.#closures[2] === undefined) return ended;
    const finish = (give) => {
      const last = this.#last = new Effect(this.#effect.program, this.#effect, 2, this.#closures[2], this);
      return after(last.run(), () => last.completion ?? give());
    };
    return isPromise(ended)
      ? PromisePrototypeThen(ended, (completion) => finish(() => completion), (error) => finish(() => PromiseReject(error)))
      : finish(() => ended);
  }

  get children() {
    return ArrayPrototypeFilter([this.#part, this.#last], (part) => part !== null);
  }

  /** For the program: whether errors of this child are caught. */
  catches(child) {
    return child === this.#part && ArrayPrototypeAt(child.path, -1) === 0 && this.#closures[1] !== undefined;
  }

  caught(error) {
    this.#last?.dispose();
    return after(this.#finally(this.#handle(error)), (completion) => this.#effect.settle(completion));
  }

  changed() {
    return this.#effect.settle(this.#last?.completion ?? this.#part.completion);
  }

  dispose() {
    this.#part?.dispose();
    this.#last?.dispose();
  }
}

/** The rounds of a loop that the language itself runs: `for (;;)`, `while`, `do`. */
export class Rounds {
  completion = undefined;
  /** @type {Effect[]} */
  children = [];
  #effect;

  constructor(effect) {
    this.#effect = effect;
  }

  round(closure) {
    const round = new Effect(this.#effect.program, this.#effect, this.children.length, closure, this);
    ArrayPrototypePush(this.children, round);
    return after(round.run(), () => this.#ends(round.completion));
  }

  #ends(completion) {
    const ends = completion !== undefined && !this.#effect.isContinued(completion);
    this.completion = ends ? completion : undefined;
    return ends;
  }

  changed(round, before) {
    const ended = before !== undefined && !this.#effect.isContinued(before);
    if (this.#ends(round.completion)) {
      const later = ArrayPrototypeSplice(this.children, ArrayPrototypeIndexOf(this.children, round) + 1);
      for (const round of new SafeArrayIterator(later)) round.dispose();
      return this.#effect.settle(round.completion);
    }
    // The loop left its variables where it ended, so that it has to begin anew.
    if (ended) this.#effect.program.add(this.#effect);
    return undefined;
  }

  dispose() {
    for (const round of new SafeArrayIterator(this.children)) round.dispose();
  }
}

/** A loop over items that may come and go: each keeps its round. */
export class Iteration {
  #effect;
  #items;
  #closure;
  /** `{ key, item, effect }` of each round, in order. */
  #rounds = [];
  #made = 0;
  #stopped = false;
  #running = false;
  #disposed = false;
  #tasks = [];

  constructor(effect, items, closure) {
    this.#effect = effect;
    this.#items = items;
    this.#closure = closure;
  }

  start() {
    if (this.#items.object !== undefined) {
      const update = new Task(this.#effect, -1, () => this.#update());
      const extend = new Task(this.#effect, Infinity, () => this.#extend());
      this.#tasks = [update, extend];
      const source = this.#effect.program.watch(this.#items.object).source(ALL);
      source.tasks.add(update);
      this.#effect.onStop(() => source.remove(update));
    }
    return this.#proceed();
  }

  get children() {
    return ArrayPrototypeMap(this.#rounds, ({ effect }) => effect);
  }

  /** Runs rounds for the items that have none. */
  #proceed() {
    this.#running = true;
    const next = () => {
      while (!this.#disposed && !this.#stopped) {
        const step = this.#items.next(this.#rounds);
        if (isPromise(step)) return PromisePrototypeThen(step, (step) => (step.done ? undefined : after(this.#round(step), next)));
        if (step.done) break;
        const ran = this.#round(step);
        if (isPromise(ran)) return PromisePrototypeThen(ran, next);
      }
      return undefined;
    };
    const finish = () => {
      this.#running = false;
      return this.#completion;
    };
    return after(next(), finish);
  }

  #round({ key, value }) {
    if (this.#disposed) return undefined;
    const item = { value };
    const effect = new Effect(this.#effect.program, this.#effect, this.#made, this.#closure, this, item);
    this.#made += 1;
    ArrayPrototypePush(this.#rounds, { key, item, effect });
    return after(effect.run(), () => {
      this.#stopped = this.#ends(effect.completion);
    });
  }

  #ends(completion) {
    return completion !== undefined && !this.#effect.isContinued(completion);
  }

  get #completion() {
    return this.#stopped ? ArrayPrototypeAt(this.#rounds, -1)?.effect.completion : undefined;
  }

  changed(effect) {
    const at = ArrayPrototypeFindIndex(this.#rounds, (round) => round.effect === effect);
    const stopped = this.#stopped;
    if (this.#ends(effect.completion)) {
      for (const { effect } of new SafeArrayIterator(ArrayPrototypeSplice(this.#rounds, at + 1))) effect.dispose();
      this.#stopped = true;
    } else if (at === this.#rounds.length - 1) {
      this.#stopped = false;
    }
    if (this.#running) return undefined;
    // What ended the loop does so no more: it goes on where it was.
    if (stopped && !this.#stopped) return after(this.#proceed(), (completion) => this.#effect.settle(completion));
    return this.#stopped ? this.#effect.settle(effect.completion) : undefined;
  }

  /** Items have changed: rounds of those that are gone end, and those of others get their new values. */
  #update() {
    const gone = this.#items.gone(this.#rounds);
    const stopped = ArrayPrototypeIncludes(gone, ArrayPrototypeAt(this.#rounds, -1)) && this.#stopped;
    for (const { effect } of new SafeArrayIterator(gone)) effect.dispose();
    this.#rounds = ArrayPrototypeFilter(this.#rounds, (round) => !ArrayPrototypeIncludes(gone, round));
    if (stopped) this.#stopped = false;
    for (const { key, item } of new SafeArrayIterator(this.#rounds)) {
      const value = this.#items.value(key);
      if (!ObjectIs(value, item.value)) Observer.set(item, "value", value);
    }
    if (this.#running || this.#stopped) return;
    this.#effect.program.add(this.#tasks[1]);
  }

  #extend() {
    if (this.#running || this.#stopped) return undefined;
    const before = this.#effect.completion;
    return after(this.#proceed(), (completion) => {
      if (before !== undefined || completion !== undefined) return this.#effect.settle(completion);
    });
  }

  dispose() {
    this.#disposed = true;
    for (const task of new SafeArrayIterator(this.#tasks)) task.disposed = true;
    for (const { effect } of new SafeArrayIterator(this.#rounds)) effect.dispose();
    this.#items.close?.();
  }
}

/** Work of a loop that has its place before or after all of the loop's rounds. */
class Task {
  queued = false;
  disposed = false;

  constructor(effect, index, perform) {
    this.effect = effect;
    this.program = effect.program;
    this.path = [...new SafeArrayIterator(effect.path), index];
    this.perform = perform;
  }

  /** Items may be added by what a round does. */
  follows() {
    return true;
  }
}

/** The items of an array, by index. */
export class Items {
  constructor(array) {
    this.object = array;
  }

  next(rounds) {
    const key = rounds.length;
    return { done: key >= this.object.length, key, value: this.object[key] };
  }

  gone(rounds) {
    return ArrayPrototypeSlice(rounds, this.object.length);
  }

  value(key) {
    return this.object[key];
  }
}

/** The keys of an object. */
export class Keys {
  constructor(object) {
    this.object = object;
  }

  next(rounds) {
    const known = new SafeSet(ArrayPrototypeMap(rounds, ({ key }) => key));
    for (const key in this.object) if (!known.has(key)) return { done: false, key, value: key };
    return { done: true };
  }

  gone(rounds) {
    const keys = new SafeSet();
    for (const key in this.object) keys.add(key);
    return ArrayPrototypeFilter(rounds, ({ key }) => !keys.has(key));
  }

  value(key) {
    return key;
  }
}

/** What an iterator gives, each once. */
export class Steps {
  #iterator;
  #isAsync;
  #done = false;

  constructor(iterator, isAsync = false) {
    this.#iterator = iterator;
    this.#isAsync = isAsync;
  }

  next() {
    if (this.#done) return { done: true };
    const take = ({ done, value }) => {
      this.#done = Boolean(done);
      return { done: this.#done, value };
    };
    const step = this.#iterator.next();
    if (!this.#isAsync) return take(step);
    return PromisePrototypeThen(PromiseResolve(step), async ({ done, value }) => take({ done, value: await value }));
  }

  close() {
    if (this.#done) return;
    this.#done = true;
    const closed = this.#iterator.return?.();
    if (isPromise(closed)) PromisePrototypeThen(PromiseResolve(closed), undefined, () => {});
  }
}
