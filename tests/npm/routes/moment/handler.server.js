import moment from "moment";
import "moment/locale/de.js";

export default () => {
  const day = moment.utc("2026-02-27").locale("en");
  return { next: day.clone().add(1, "month").format("YYYY-MM-DD"), german: day.clone().locale("de").format("dddd"), from: day.from(moment.utc("2026-02-20").locale("en")) };
};
