// functions/api/chat.js
export default async function chatHandler(request, context) {
  const { method } = request;
  const upgradeHeader = request.headers.get('Upgrade');
  
  // Upgrade to WebSocket
  if (upgradeHeader === 'websocket') {
    return handleWebSocket(request, context);
  }
  
  // Handle HTTP requests
  if (method === 'GET') {
    return getChatHistory(context.env.DB);
  }
  
  return new Response('Method not allowed', { status: 405 });
}

async function handleWebSocket(request, context) {
  const { env } = context;
  
  // Create WebSocket pair
  const [client, server] = Object.values(new WebSocketPair());
  
  // Get or create Durable Object for chat room
  const roomId = new URL(request.url).searchParams.get('room');
  const durableObjectId = env.CHAT_ROOM.idFromName(roomId);
  const chatRoom = env.CHAT_ROOM.get(durableObjectId);
  
  // Forward WebSocket to Durable Object
  await chatRoom.fetch('http://localhost/websocket', {
    headers: { 'Upgrade': 'websocket' },
    body: server
  });
  
  return new Response(null, {
    status: 101,
    webSocket: client
  });
}
