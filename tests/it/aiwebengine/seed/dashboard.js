registerWebStream("/dashboard");

function updateMetrics(req) {
  // Simulate gathering metrics
  const metrics = {
    type: "metrics",
    cpu: Math.random() * 100,
    memory: Math.random() * 100,
    requests: Math.floor(Math.random() * 1000),
    timestamp: new Date().toISOString(),
  };

  sendStreamMessage(metrics);
  return { status: 200, body: "Metrics updated" };
}

register("/update-metrics", "updateMetrics", "POST");
