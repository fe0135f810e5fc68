export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  const data = { someProp: 'nothing yet' };

  event.respondWith(data, async ($data /* reactive copy of data */) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    $data.someProp = 'someValue';
    await new Promise((resolve) => setTimeout(resolve, 1000));
    $data.someProp = 'someOtherValue';
  });
}
