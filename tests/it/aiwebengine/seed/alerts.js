registerWebStream("/notifications");

function sendAlert(req) {
  const { type, message, priority } = req.form;

  sendStreamMessage({
    type: "alert",
    alertType: type,
    message: message,
    priority: priority || "normal",
    timestamp: new Date().toISOString(),
  });

  return { status: 200, body: "Alert sent" };
}

register("/send-alert", "sendAlert", "POST");
