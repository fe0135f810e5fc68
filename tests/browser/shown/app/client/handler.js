export default (event) => ({ value: `of the server ${event.request.method}` });
