class TabSyncService {
  constructor(channelName = 'app-sync') {
    this.channel = new BroadcastChannel(channelName);
    this.tabId = this.generateTabId();
    
    this.channel.onmessage = (event) => {
      this.handleMessage(event.data);
    };
  }
  
  broadcast(type, payload) {
    this.channel.postMessage({
      type,
      payload,
      timestamp: Date.now(),
      tabId: this.tabId
    });
  }
  
  on(type, handler) {
    // Subscribe to message type
  }
}

const tabSync = new TabSyncService();
