registerWebStream("/data-feed");

function broadcastData(req) {
  // Simulate real-time data
  const data = {
    type: "data_update",
    sensor_id: req.query.sensor,
    value: Math.random() * 100,
    unit: "celsius",
    location: "server_room",
    timestamp: new Date().toISOString(),
  };

  sendStreamMessage(data);
  return { status: 200, body: "Data broadcasted" };
}

register("/broadcast-data", "broadcastData", "GET");
