// Register different streams for different data types
registerWebStream("/notifications"); // User notifications
registerWebStream("/system-status"); // System health
registerWebStream("/chat"); // Chat messages

// Send targeted messages based on context
function handleUserAction(req) {
  // Notify about user action
  sendStreamMessage({
    type: "user_action",
    action: req.form.action,
    user: req.form.user,
  });

  // Update system status if needed
  if (req.form.action === "critical_operation") {
    sendStreamMessage({
      type: "system_status",
      status: "busy",
      operation: req.form.action,
    });
  }

  return { status: 200, body: "Action processed" };
}
