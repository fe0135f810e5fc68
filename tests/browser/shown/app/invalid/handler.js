export default (event) => {
  return Response.json({ value: `invalid ${event.request.method}` }, { status: 422 });
};
