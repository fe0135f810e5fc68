registerWebStream("/external-updates");

// Webhook handler for external system notifications
function webhookHandler(req) {
  const webhookData = JSON.parse(req.body);

  // Transform external data for your stream
  sendStreamMessage({
    type: "external_update",
    source: "github",
    event: webhookData.action,
    repository: webhookData.repository.name,
    timestamp: new Date().toISOString(),
  });

  return { status: 200, body: "Webhook processed" };
}

register("/webhook/github", "webhookHandler", "POST");
