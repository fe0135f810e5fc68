/** `liveline:upload`: how far a request's body has come, for pages that wait for it, in whichever worker. */
declare module "liveline:upload" {
  export interface Progress {
    readonly state: "waiting" | "receiving" | "received" | "failed";
    /** Bytes. */
    readonly received: number;
    /** Bytes, or null where the client does not say how many there will be. */
    readonly total: number | null;
  }

  /**
   * The same request, whose body is counted as the handler reads it, in whichever way. The request that was given cannot
   * be read any more. Whoever knows the id can follow the upload: make it with `crypto.randomUUID()`.
   */
  export function track(request: Request, id: string): Request;

  /**
   * How far the upload with this id has come: `waiting` at first, then up to ten times a second, until it was received
   * or has failed.
   */
  export function progressOf(id: string): AsyncGenerator<Progress, void, void>;
}
