import semver from "semver";

export default () => ({
  satisfies: semver.satisfies("1.2.3", "^1.0.0"),
  next: semver.inc("1.2.3", "minor"),
  sorted: semver.sort(["2.0.0", "1.10.0", "1.9.0"]),
});
