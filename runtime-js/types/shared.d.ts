/** `liveline:shared`: one state for all its viewers, on any number of workers. */
declare module "liveline:shared" {
  export interface SharedOptions {
    /**
     * Milliseconds between the end of one run and the beginning of the next; 1000 by default. A generator that has
     * failed starts again after the same time.
     */
    every?: number;
  }

  export interface SharedState<State> {
    /**
     * The latest state, as soon as there is one, then each later one; a slow reader receives only the latest. It ends
     * with the exchange that called it, and when a generator has ended. It fails if the first state cannot be made.
     */
    states(): AsyncGenerator<State, void, void>;
  }

  /** Returns the state, at every call, or yields states. The signal aborts when the last viewer has left. */
  export type Source<State> = (signal: AbortSignal) => State | Promise<State> | AsyncGenerator<State, unknown, void>;

  /**
   * Shares the state of `source`, which runs while there is a viewer, once for all workers that run the same code. The
   * state is JSON of up to 1 MiB. Call it at the top level of a module, with a different name for each state.
   */
  export function shared<State>(name: string, source: Source<State>, options?: SharedOptions): SharedState<State>;
}
