export default (event) => {
  const headers = { "Content-Disposition": "attachment; filename=a.txt", "Content-Type": "text/plain" };
  return new Response(`bytes of ${event.request.method}`, { headers });
};
