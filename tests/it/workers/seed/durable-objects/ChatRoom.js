// durable-objects/ChatRoom.js
export class ChatRoom {
  constructor(state, env) {
    this.state = state;
    this.env = env;
    this.sessions = new Set();
  }
  
  async fetch(request) {
    const upgradeHeader = request.headers.get('Upgrade');
    
    if (upgradeHeader === 'websocket') {
      return this.handleWebSocket(request);
    }
    
    return new Response('Expected WebSocket', { status: 400 });
  }
  
  async handleWebSocket(request) {
    const [client, server] = Object.values(new WebSocketPair());
    
    server.accept();
    this.sessions.add(server);
    
    server.addEventListener('message', async (event) => {
      try {
        const message = JSON.parse(event.data);
        await this.handleMessage(message, server);
      } catch (error) {
        server.send(JSON.stringify({ error: 'Invalid message format' }));
      }
    });
    
    server.addEventListener('close', () => {
      this.sessions.delete(server);
    });
    
    // Send welcome message
    server.send(JSON.stringify({
      type: 'welcome',
      message: 'Connected to chat room'
    }));
    
    return new Response(null, {
      status: 101,
      webSocket: client
    });
  }
  
  async handleMessage(message, sender) {
    switch (message.type) {
      case 'chat':
        await this.broadcastMessage(message, sender);
        break;
      case 'typing':
        await this.broadcastTyping(message, sender);
        break;
      case 'presence':
        await this.updatePresence(message, sender);
        break;
    }
  }
  
  async broadcastMessage(message, sender) {
    // Save to database
    await this.env.DB.prepare(`
      INSERT INTO messages (room_id, user_id, content, timestamp)
      VALUES (?, ?, ?, ?)
    `).bind(
      message.roomId,
      message.userId,
      message.content,
      Date.now()
    ).run();
    
    // Broadcast to all connected clients
    const broadcastData = JSON.stringify({
      type: 'message',
      userId: message.userId,
      content: message.content,
      timestamp: Date.now()
    });
    
    this.sessions.forEach(session => {
      if (session !== sender) {
        session.send(broadcastData);
      }
    });
  }
}
