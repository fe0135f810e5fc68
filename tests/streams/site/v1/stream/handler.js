// Streams that everybody may create, write and delete, at the addresses that the suite uses.
import { topic } from "liveline:topics";

const everything = { append: true, create: true, remove: true, forkFrom: "/v1/stream/", anyOrigin: true };

export default (event) => topic(event.url.pathname).stream(everything);
