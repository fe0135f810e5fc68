import { add } from "../driver.js";

export default async ({ url }) => await add(Number(url.searchParams.get("a")), Number(url.searchParams.get("b")));
