// What has happened, for the list and for pages that follow.

import { topic } from "liveline:topics";

export const activities = [];

/** Notes an activity, and sends it to every page. */
export function note(userName, action, target) {
  const activity = { userName, action, target, timestamp: Date.now() };
  activities.push(activity);
  if (activities.length > 1000) activities.shift();
  topic("activity").publish(activity);
}
