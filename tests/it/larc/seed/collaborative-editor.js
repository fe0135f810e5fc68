class CollaborativeEditor extends HTMLElement {
  connectedCallback() {
    this.docId = this.getAttribute('doc-id');
    this.content = '';
    this.collaborators = new Map();
    
    // Join document
    wsClient.send('join-document', { docId: this.docId });
    
    // Subscribe to updates
    wsClient.on('document-update', (update) => {
      if (!this.isLocalUpdate) {
        this.content = update.content;
        this.render();
      }
    });
    
    wsClient.on('collaborator-joined', (collab) => {
      this.collaborators.set(collab.userId, collab);
      this.render();
    });
    
    wsClient.on('collaborator-left', ({ userId }) => {
      this.collaborators.delete(userId);
      this.render();
    });
    
    this.render();
  }
  
  handleInput(e) {
    this.content = e.target.value;
    this.isLocalUpdate = true;
    
    wsClient.send('document-update', {
      docId: this.docId,
      content: this.content
    });
    
    setTimeout(() => { this.isLocalUpdate = false; }, 100);
  }
  
  render() {
    this.innerHTML = `
      <div class="editor">
        <div class="collaborators">
          ${Array.from(this.collaborators.values()).map(c => `
            <div class="badge">${c.name[0]}</div>
          `).join('')}
        </div>
        <textarea>${this.content}</textarea>
      </div>
    `;
    
    this.querySelector('textarea').addEventListener('input', (e) => this.handleInput(e));
  }
}

customElements.define('collaborative-editor', CollaborativeEditor);
