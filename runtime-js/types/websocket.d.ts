/**
 * WebSockets that handlers serve. Those that they open are the web's own: see `WebSocket`. A socket that was opened or
 * served for a request ends with its exchange.
 */

/** One end of a {@link WebSocketPair}. Binary messages come as `ArrayBuffer` unless `binaryType` says otherwise. */
export interface PairedSocket extends WebSocket {
  /** Begins the conversation: what has come until now is heard next. Once, and before anything is sent. */
  accept(): void;
}

/** Two ends of one line: `const [client, server] = Object.values(new WebSocketPair())`. */
export type WebSocketPair = { 0: PairedSocket; 1: PairedSocket };

declare global {
  const WebSocketPair: new () => WebSocketPair;

  interface ResponseInit {
    /** With status 101, in answer to a request for a WebSocket: the end of a pair that its client gets. */
    webSocket?: PairedSocket | null;
  }

  interface Response {
    readonly webSocket: PairedSocket | null;
  }
}
