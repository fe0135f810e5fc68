export default (event) => new Response(`deep ${event.url.pathname}`, { headers: { "X-Deep": "1" } });
