export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  // Channel ID - must tally with the client-side ID
  const channelID = 'test-channel';

  const { channel, leave } = event.client.enterChannel(channelID, {
    // Optionally annotate user's messages with user's name
    resolveData: (message) => ({ ...message, user: 'sample name' }),
  });

  event.waitUntilNavigate(); // keep open
  event.client.addEventListener('close', (e) => {
    //e.preventDefault();
    console.log('Chat closed');
  });
}
