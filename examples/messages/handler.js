/** @type {import('@webqit/webflo').Handler} */
export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  let pause = 0;
  event.client.addEventListener('message', (e) => {
    event.client.postMessage({ message: `You seem to be typing something: ${e.data.length} characters so far.` });
    clearTimeout(pause);
    pause = setTimeout(() => event.client.postMessage({ message: 'You stopped.' }), 1000);
  });

  event.waitUntilNavigate(); // Hold down the event lifecycle

  return { remark: 'You have not typed anything yet.' };
}
