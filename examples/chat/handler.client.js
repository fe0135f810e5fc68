export default async function (event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  // Initialize states
  const data = { messageTrail: [{ message: 'Beginning of chat...' }] };
  await event.respondWith(data, { done: false });

  // The messaging part
  const response = await next(); // Call server
  const chatPort = LiveResponse.from(response).background;

  // Channel ID - must tally with the server-side ID
  const channelID = 'test-channel';

  // Listen to upstream messages - from others in the same channel
  chatPort.addEventListener(`${channelID}:message`, (e) => {
    Observer.proxy(data.messageTrail).push(e.data);
  });

  // Send messages to the chat
  setInterval(() => {
    const message = { message: `Hello from ${navigator.userAgent}` };

    // Send to others in the same channel
    chatPort.postMessage(message, {
      wqEventOptions: { type: `${channelID}:message` },
    });

    // Add to the local trail
    Observer.proxy(data.messageTrail).push(message);
  }, 6000);
}
