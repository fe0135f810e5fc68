// The tasks. A new one is an activity, and a notification for everybody.

import { topic } from "liveline:topics";
import { note } from "../../activities.js";

const items = [];

export const GET = () => items;

export async function POST({ request }) {
  // LARC's lists send JSON as text/plain.
  const { clientId, title, by } = JSON.parse(await request.text());
  const item = { id: items.length + 1, clientId, title: `${title}`.slice(0, 200), by: `${by}`.slice(0, 50) };
  items.push(item);
  topic("item").publish(item);
  note(item.by, "added", item.title);
  topic("notification").publish({ id: item.id, type: "info", title: "New task", message: `${item.by}: ${item.title}` });
  return item;
}
