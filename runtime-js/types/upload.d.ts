/** `liveline:upload`: the progress of a request body, for pages on any worker. */
declare module "liveline:upload" {
  export interface Progress {
    readonly state: "waiting" | "receiving" | "received" | "failed";
    /** Bytes. */
    readonly received: number;
    /** Bytes, or null if the client did not send the length. */
    readonly total: number | null;
  }

  /**
   * The same request; its body is counted while the handler reads it, by any method. The request that was passed cannot
   * be read any more. Every client that has the id can follow the upload: create it with `crypto.randomUUID()`.
   */
  export function track(request: Request, id: string): Request;

  /**
   * The progress of the upload with this id: `waiting` at first, then up to ten times a second, until the body was
   * received or has failed.
   */
  export function progressOf(id: string): AsyncGenerator<Progress, void, void>;
}
