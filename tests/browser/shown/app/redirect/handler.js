export default (event) => {
  const { to, code } = Object.fromEntries(event.url.searchParams);
  return new Response(null, { status: Number(code), headers: { Location: to } });
};
