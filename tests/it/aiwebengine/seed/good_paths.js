// Good
registerWebStream("/notifications/user123");
registerWebStream("/chat/room/general");
registerWebStream("/status/server/production");

// Avoid
registerWebStream("/stream1");
registerWebStream("/s");
