export default async (event, next) => await next();
