export default (event) => {
  const body = `<!doctype html><title>H</title><p id="value">H ${event.request.method}`;
  return new Response(body, { headers: { "Content-Type": "text/html" } });
};
