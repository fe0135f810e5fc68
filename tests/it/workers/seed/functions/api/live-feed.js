// functions/api/live-feed.js
export default function liveFeed(request, context) {
  const url = new URL(request.url);
  const userId = url.searchParams.get('userId');
  
  return new Response(
    new ReadableStream({
      async start(controller) {
        const encoder = new TextEncoder();
        
        // Send initial connection message
        controller.enqueue(encoder.encode(
          `data: ${JSON.stringify({ type: 'connected', userId })}\n\n`
        ));
        
        // Set up database listener for user-specific updates
        const interval = setInterval(async () => {
          try {
            // Check for new notifications
            const notifications = await context.env.DB.prepare(`
              SELECT * FROM notifications 
              WHERE user_id = ? AND created_at > datetime('now', '-10 seconds')
              ORDER BY created_at DESC
            `).bind(userId).all();
            
            notifications.results.forEach(notification => {
              const data = JSON.stringify({
                type: 'notification',
                id: notification.id,
                message: notification.message,
                timestamp: notification.created_at
              });
              
              controller.enqueue(encoder.encode(`data: ${data}\n\n`));
            });
            
          } catch (error) {
            controller.enqueue(encoder.encode(
              `data: ${JSON.stringify({ type: 'error', message: error.message })}\n\n`
            ));
          }
        }, 5000);
        
        // Clean up on disconnect
        request.signal.addEventListener('abort', () => {
          clearInterval(interval);
          controller.close();
        });
      }
    }),
    {
      headers: {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache',
        'Connection': 'keep-alive',
        'Access-Control-Allow-Origin': '*'
      }
    }
  );
}
