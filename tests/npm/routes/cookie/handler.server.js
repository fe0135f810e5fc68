import * as cookie from "cookie";

export default () => ({
  parsed: { ...(cookie.parseCookie ?? cookie.parse)("a=1; b=x%20y") },
  text: cookie.serialize("a", "1", { httpOnly: true, maxAge: 60, path: "/", sameSite: "lax" }),
});
