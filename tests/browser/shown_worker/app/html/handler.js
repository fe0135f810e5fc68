const headers = { "Content-Type": "text/html" };
export default (event) => new Response(`<title>H</title><p id="value">H ${event.request.method}`, { headers });
