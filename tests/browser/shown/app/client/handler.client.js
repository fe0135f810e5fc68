export const GET = async (event, next) => await next();
export const POST = () => ({ value: "posted in the page" });
