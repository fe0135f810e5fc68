// Register a stream endpoint
registerWebStream("/events");

// Handler to send events
function triggerEvent(req) {
  sendStreamMessage({
    type: "event",
    message: "Something happened!",
    timestamp: new Date().toISOString(),
  });

  return { status: 200, body: "Event sent" };
}

register("/trigger", "triggerEvent", "POST");
