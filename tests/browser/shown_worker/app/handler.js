export default async (event, next) => next.stepname ? await next() : { value: "A of the server" };
