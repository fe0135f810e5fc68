registerWebStream("/chat");

function sendMessage(req) {
  const { user, room, message } = req.form;

  sendStreamMessage({
    type: "chat_message",
    user: user,
    room: room,
    message: message,
    timestamp: new Date().toISOString(),
  });

  return { status: 200, body: "Message sent" };
}

register("/chat/send", "sendMessage", "POST");
