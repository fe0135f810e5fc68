import { addDays, differenceInHours, format, formatDistance, parseISO } from "date-fns";
import { de } from "date-fns/locale";

export default () => {
  const start = new Date(2026, 1, 27);
  const end = addDays(start, 3);
  return {
    end: format(end, "yyyy-MM-dd EEEE", { locale: de }),
    hours: differenceInHours(end, start),
    distance: formatDistance(start, end),
    parsed: parseISO("2026-01-02T03:04:05Z").toISOString(),
  };
};
