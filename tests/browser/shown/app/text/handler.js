export default (event) => new Response(`text ${event.request.method}`);
