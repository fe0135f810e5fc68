registerWebStream("/notifications");
registerWebStream("/chat/room1");
registerWebStream("/status/server1");
