export default { fetch: () => new Response("the Worker") };
