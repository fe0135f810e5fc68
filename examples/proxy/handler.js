import { LiveResponse } from '@webqit/webflo';

/** @type {import('@webqit/webflo').Handler} */
export default async function (event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  const response = await fetch(new URL('/proxy/upstream' + event.url.search, event.url));
  const liveResponse = LiveResponse.from(response);
  liveResponse.background?.addEventListener('message', (message) => {
    console.log('overheard:', message.data.note);
  });

  return liveResponse;
}
