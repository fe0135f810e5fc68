/** @type {import('@webqit/webflo').ClientHandler} */
export default async function (event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  // Call server
  const response = await LiveResponse.from(await next()).readyStateChange('live');
  const { user } = response.body;

  // Initialize states
  /** @type {{ user: string, messageTrail: object[] }} */
  const data = { user, messageTrail: [{ event: 'joins', own: true }] };
  await event.respondWith(data, { done: false });

  // The messaging part
  const chatPort = response.background;

  // Channel ID - must tally with the server-side ID
  const channelID = 'test-channel';

  // Listen to upstream messages - from others in the same channel
  chatPort?.addEventListener(`${channelID}:message`, (e) => {
    Observer.proxy(data.messageTrail).push(e.data);
  });

  // What the person at this page writes
  event.client.addEventListener('write', (e) => {
    const message = { message: e.data.message };

    // Send to others in the same channel
    chatPort?.postMessage(message, {
      wqEventOptions: { type: `${channelID}:message` },
    });

    // Add to the local trail
    Observer.proxy(data.messageTrail).push({ ...message, own: true });
  });
}
