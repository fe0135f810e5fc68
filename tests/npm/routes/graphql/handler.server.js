import { buildSchema, graphql } from "graphql";

const schema = buildSchema("type Query { greet(name: String!): String, sum(of: [Int!]!): Int }");
const rootValue = { greet: ({ name }) => `Hello ${name}`, sum: ({ of }) => of.reduce((a, b) => a + b, 0) };

export default async () => ({
  good: await graphql({ schema, rootValue, source: '{ greet(name: "you") sum(of: [1, 2, 3]) }' }),
  bad: (await graphql({ schema, rootValue, source: "{ nothing }" })).errors.map(({ message }) => message),
});
