import { z } from "zod";

const Order = z.object({ id: z.number().int(), mail: z.email(), tags: z.array(z.string()).default([]) });

export default () => {
  const bad = Order.safeParse({ id: 1.5, mail: "nobody" });
  return {
    good: Order.parse({ id: 1, mail: "a@example.org" }),
    bad: bad.error.issues.map(({ path, code }) => `${path.join(".")}: ${code}`),
  };
};
