import { topic } from "liveline:topics";

export const POST = async (event) => topic("/news").publish(await event.request.json());
