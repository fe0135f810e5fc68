// client/realtime.js
class RealtimeClient {
  constructor(baseUrl) {
    this.baseUrl = baseUrl;
    this.connections = new Map();
  }
  
  // Connect to WebSocket
  connectWebSocket(endpoint, options = {}) {
    const ws = new WebSocket(`${this.baseUrl.replace('http', 'ws')}${endpoint}`);
    
    ws.onopen = () => {
      console.log('WebSocket connected');
      options.onConnect?.();
    };
    
    ws.onmessage = (event) => {
      const data = JSON.parse(event.data);
      options.onMessage?.(data);
    };
    
    ws.onclose = () => {
      console.log('WebSocket disconnected');
      options.onDisconnect?.();
    };
    
    this.connections.set(endpoint, ws);
    return ws;
  }
  
  // Connect to Server-Sent Events
  connectSSE(endpoint, options = {}) {
    const eventSource = new EventSource(`${this.baseUrl}${endpoint}`);
    
    eventSource.onopen = () => {
      console.log('SSE connected');
      options.onConnect?.();
    };
    
    eventSource.onmessage = (event) => {
      const data = JSON.parse(event.data);
      options.onMessage?.(data);
    };
    
    eventSource.onerror = () => {
      console.log('SSE error');
      options.onError?.();
    };
    
    this.connections.set(endpoint, eventSource);
    return eventSource;
  }
  
  // Send message via WebSocket
  send(endpoint, message) {
    const connection = this.connections.get(endpoint);
    if (connection && connection.readyState === WebSocket.OPEN) {
      connection.send(JSON.stringify(message));
    }
  }
  
  // Disconnect from endpoint
  disconnect(endpoint) {
    const connection = this.connections.get(endpoint);
    if (connection) {
      connection.close();
      this.connections.delete(endpoint);
    }
  }
}
