import { DateTime, Duration, Interval } from "luxon";

export default () => {
  const start = DateTime.fromISO("2026-02-27T10:00:00", { zone: "Europe/Berlin" });
  return {
    utc: start.toUTC().toISO(),
    french: start.setLocale("fr").toFormat("cccc d LLLL"),
    length: Interval.fromDateTimes(start, start.plus(Duration.fromObject({ days: 2 }))).length("hours"),
  };
};
