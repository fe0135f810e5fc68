// The components of the page, each in a file of its own, and the two connections that they share.

import { sseClient } from "./services/sse-client.js";
import { wsClient } from "./services/websocket-client.js";
import "./components/activity-feed.js";
import "./components/chat-room.js";
import "./components/collaborative-editor.js";
import "./components/connection-state.js";
import "./components/notification-feed.js";
import "./components/people-online.js";
import "./components/task-list.js";

sseClient.connect();
wsClient.connect().catch(() => {});
