class NotificationFeed extends HTMLElement {
  connectedCallback() {
    this.notifications = [];
    
    wsClient.on('notification', (notification) => {
      this.notifications.unshift(notification);
      this.render();
      
      // Auto-dismiss after 5s
      setTimeout(() => {
        this.removeNotification(notification.id);
      }, 5000);
    });
    
    this.render();
  }
  
  render() {
    this.innerHTML = `
      <div class="notifications">
        ${this.notifications.map(n => `
          <div class="notification ${n.type}">
            <strong>${n.title}</strong>
            <p>${n.message}</p>
          </div>
        `).join('')}
      </div>
    `;
  }
}

customElements.define('notification-feed', NotificationFeed);
