// A message for the topic in each request.

import { topic } from "liveline:topics";

const room = topic("/room");

export async function POST({ request }) {
  room.publish(await request.text());
  return new Response("ok");
}
