export default (event) => ({ value: `deep ${event.request.method}` });
