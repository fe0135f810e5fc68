import { parse, stringify, v4, v5, v7, validate, version } from "uuid";

export default () => ({
  v4: [validate(v4()), version(v4())],
  v5: v5("example.org", v5.DNS),
  v7: version(v7()),
  bytes: stringify(parse("0190a0b0-c0d0-7000-8000-000000000001")),
});
