export const application = "logging";

const get = (...names) => async (t) => {
  for (const name of names) await t.get(`/${name}`);
};

export const scripts = {
  "lines of a logger": get("plain", "level", "disabled", "messageKey", "errorKey", "nestedKey", "prefix"),
  "what all lines have": get("named", "noBase", "undefinedBase", "base", "noTime", "timeText"),
  "formatters, mixins and hooks": get("levelFormatter", "bindingsFormatter", "logFormatter", "noObject", "mixin", "hooks"),
  "levels of an application": get("customLevels", "ownLevels"),
  "serializers and what is hidden": get("serializers", "redact"),
  "child loggers": get("children"),
};
