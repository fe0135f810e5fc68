/** @type {import('@webqit/webflo').Handler} */
export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  const asked = event.url.searchParams.get('name')?.trim().slice(0, 30);
  const user = asked || `Guest ${100 + Math.floor(Math.random() * 900)}`;

  // Channel ID - must tally with the client-side ID
  const channelID = 'test-channel';

  event.client.enterChannel(channelID, {
    // Annotate user's messages with user's name
    resolveData: (message) => ({ ...message, user }),
  });

  event.waitUntilNavigate(); // keep open
  event.client.addEventListener('close', (e) => {
    console.log(`${user} left the chat`);
  });

  return { user };
}
