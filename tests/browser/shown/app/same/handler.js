export default (event) => ({ value: `same ${event.request.method} ${event.url.search}` });
