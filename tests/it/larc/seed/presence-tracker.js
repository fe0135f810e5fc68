class PresenceTracker {
  constructor() {
    this.users = new Map();
    
    wsClient.on('presence-update', ({ userId, status }) => {
      this.users.set(userId, { userId, status, lastSeen: Date.now() });
      this.notifySubscribers();
    });
    
    wsClient.on('presence-offline', ({ userId }) => {
      this.users.delete(userId);
      this.notifySubscribers();
    });
    
    // Send heartbeat
    setInterval(() => {
      wsClient.send('presence-heartbeat', {});
    }, 30000);
  }
  
  getOnlineUsers() {
    return Array.from(this.users.values()).filter(u => u.status === 'online');
  }
}
