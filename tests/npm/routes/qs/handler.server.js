import qs from "qs";

export default () => ({ parsed: qs.parse("a[b][]=1&a[b][]=2&c=x%20y"), text: qs.stringify({ a: [1, 2], b: { c: "d" } }, { encode: false }) });
