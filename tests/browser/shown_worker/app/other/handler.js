export default (event) => ({ value: `other ${event.request.method}` });
