/** `liveline:shared`: a state that is made once for all who follow it, in whichever worker. */
declare module "liveline:shared" {
  export interface SharedOptions {
    /**
     * Milliseconds between the end of one run and the beginning of the next; 1000 by default. A generator begins anew
     * after so long if it has failed.
     */
    every?: number;
  }

  export interface SharedState<State> {
    /**
     * The latest state, as soon as there is one, then each later one; a slow reader gets only the last. It ends with the
     * exchange that asked for it, and when a generator has ended. It fails if the first state cannot be made.
     */
    states(): AsyncGenerator<State, void, void>;
  }

  /** Makes the state as a value, again and again, or yields it. The signal aborts when the last viewer has left. */
  export type Source<State> = (signal: AbortSignal) => State | Promise<State> | AsyncGenerator<State, unknown, void>;

  /**
   * Shares what `source` makes, which runs while somebody follows it: once for all workers that run the same code. The
   * state is JSON of up to 1 MiB. Call it where a module begins, with a name for each state.
   */
  export function shared<State>(name: string, source: Source<State>, options?: SharedOptions): SharedState<State>;
}
