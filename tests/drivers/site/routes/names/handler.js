import { insert, names } from "../driver.js";

export const GET = () => names();
export const POST = ({ url }) => insert(url.searchParams.get("name"), url.searchParams.has("fails"));
