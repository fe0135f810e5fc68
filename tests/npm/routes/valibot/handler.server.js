import * as v from "valibot";

const Login = v.object({ mail: v.pipe(v.string(), v.email()), age: v.optional(v.pipe(v.number(), v.minValue(18)), 18) });

export default () => {
  const bad = v.safeParse(Login, { mail: "x", age: 3 });
  return { good: v.parse(Login, { mail: "a@example.org" }), bad: v.flatten(bad.issues).nested };
};
