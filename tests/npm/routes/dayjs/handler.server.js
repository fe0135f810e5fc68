import dayjs from "dayjs";
import utc from "dayjs/plugin/utc.js";
import timezone from "dayjs/plugin/timezone.js";
import "dayjs/locale/de.js";

dayjs.extend(utc);
dayjs.extend(timezone);

export default () => {
  const day = dayjs.utc("2026-02-27T12:00:00Z");
  return { next: day.add(2, "month").format("YYYY-MM-DD"), german: day.locale("de").format("dddd"), tokyo: day.tz("Asia/Tokyo").format("HH:mm") };
};
