import { text } from "../driver.js";

export default async () => await text(1_000_000);
