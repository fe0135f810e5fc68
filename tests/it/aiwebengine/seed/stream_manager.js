class StreamManager {
  constructor(streamPath, options = {}) {
    this.streamPath = streamPath;
    this.options = {
      reconnectDelay: 3000,
      maxReconnectAttempts: 5,
      ...options,
    };
    this.reconnectAttempts = 0;
    this.eventSource = null;
    this.messageHandlers = new Map();
  }

  connect() {
    this.eventSource = new EventSource(this.streamPath);

    this.eventSource.onmessage = (event) => {
      const data = JSON.parse(event.data);
      this.handleMessage(data);
    };

    this.eventSource.onopen = () => {
      console.log("Stream connected");
      this.reconnectAttempts = 0;
    };

    this.eventSource.onerror = () => {
      this.handleError();
    };
  }

  handleMessage(data) {
    const handler = this.messageHandlers.get(data.type);
    if (handler) {
      handler(data);
    }
  }

  handleError() {
    if (this.reconnectAttempts < this.options.maxReconnectAttempts) {
      this.reconnectAttempts++;
      setTimeout(() => {
        console.log(`Reconnecting... (attempt ${this.reconnectAttempts})`);
        this.connect();
      }, this.options.reconnectDelay);
    }
  }

  on(messageType, handler) {
    this.messageHandlers.set(messageType, handler);
  }

  disconnect() {
    if (this.eventSource) {
      this.eventSource.close();
    }
  }
}

// Usage
const stream = new StreamManager("/notifications");
stream.on("notification", (data) => {
  showNotification(data.title, data.body);
});
stream.on("update", (data) => {
  updateUI(data);
});
stream.connect();
