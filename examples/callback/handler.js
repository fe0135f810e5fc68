/** @type {import('@webqit/webflo').Handler} */
export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  // Milliseconds between two states, for a person who watches; `?pace=50` is for the impatient.
  const pace = Number(event.url.searchParams.get('pace') ?? 1500);

  const data = { someProp: 'nothing yet' };

  event.respondWith(data, async ($data /* reactive copy of data */) => {
    await new Promise((resolve) => setTimeout(resolve, pace));
    $data.someProp = 'someValue';
    await new Promise((resolve) => setTimeout(resolve, pace));
    $data.someProp = 'someOtherValue';
  });
}
