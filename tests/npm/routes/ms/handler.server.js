import ms from "ms";

export default () => ({ parsed: ms("2 days"), short: ms(60_000), long: ms(2 * 60_000, { long: true }) });
