/**
 * WebSockets that handlers accept. Those that they open are the web's own `WebSocket`. A WebSocket that was opened or
 * accepted for a request closes with its exchange.
 */

/** One end of a {@link WebSocketPair}. Binary messages come as `ArrayBuffer` unless `binaryType` says otherwise. */
export interface PairedSocket extends WebSocket {
  /** Starts the delivery of messages, including those received before. Call it once, and before anything is sent. */
  accept(): void;
  /** Attaches a copy of a value, at most 16 KiB, which stays while the actor of the socket is not in memory. */
  serializeAttachment(value: unknown): void;
  deserializeAttachment(): any;
}

/** Two ends of one line: `const [client, server] = Object.values(new WebSocketPair())`. */
export type WebSocketPair = { 0: PairedSocket; 1: PairedSocket };

declare global {
  const WebSocketPair: new () => WebSocketPair;

  interface ResponseInit {
    /** With status 101, in answer to a request for a WebSocket: the end of a pair for the client. */
    webSocket?: PairedSocket | null;
  }

  interface Response {
    readonly webSocket: PairedSocket | null;
  }
}
