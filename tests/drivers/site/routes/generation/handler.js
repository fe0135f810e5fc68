import { add } from "../driver.js";

const generation = crypto.randomUUID();

export default async () => ({ generation, sum: await add(1, 2) });
