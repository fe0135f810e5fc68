// components/LiveMetrics.js
export default function LiveMetrics() {
  return new Response(
    new ReadableStream({
      async start(controller) {
        const encoder = new TextEncoder();
        
        // Initial render
        let currentMetrics = await getCurrentMetrics();
        controller.enqueue(encoder.encode(
          renderMetricsHTML(currentMetrics)
        ));
        
        // Set up real-time updates
        const updateInterval = setInterval(async () => {
          const newMetrics = await getCurrentMetrics();
          
          // Only update if metrics changed
          if (JSON.stringify(newMetrics) !== JSON.stringify(currentMetrics)) {
            currentMetrics = newMetrics;
            
            // Stream updated JSX
            const updatedHTML = renderMetricsHTML(currentMetrics);
            controller.enqueue(encoder.encode(updatedHTML));
          }
        }, 2000);
        
        // Clean up
        setTimeout(() => {
          clearInterval(updateInterval);
          controller.close();
        }, 300000); // 5 minutes
      }
    }),
    {
      headers: {
        'Content-Type': 'text/html',
        'Transfer-Encoding': 'chunked'
      }
    }
  );
}

function renderMetricsHTML(metrics) {
  return `
    <div class="live-metrics" data-timestamp="${Date.now()}">
      <div class="metric">
        <span class="label">Active Users:</span>
        <span class="value">${metrics.activeUsers}</span>
      </div>
      <div class="metric">
        <span class="label">Requests/min:</span>
        <span class="value">${metrics.requestsPerMinute}</span>
      </div>
      <div class="metric">
        <span class="label">Response Time:</span>
        <span class="value">${metrics.avgResponseTime}ms</span>
      </div>
    </div>
  `;
}
