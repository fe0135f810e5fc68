// Check if stream is registered
writeLog("Registering stream...");
registerWebStream("/my-stream");
writeLog("Stream registered");

// Verify message sending
writeLog("Sending message...");
sendStreamMessage({ type: "test", message: "Hello" });
writeLog("Message sent");
