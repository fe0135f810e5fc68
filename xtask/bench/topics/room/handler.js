// The benchmark's topic: as server-sent events, and by a WebSocket.

import { topic } from "liveline:topics";

const room = topic("/room");

export const GET = () => room;
