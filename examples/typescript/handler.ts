interface Temperature {
  celsius: number;
  fahrenheit: number;
}

/** Types are taken away when the file is loaded; there is nothing to build. */
export function GET(event: { url: URL }): Temperature | Response {
  const celsius = Number.parseFloat(event.url.searchParams.get("celsius") ?? "20");
  if (Number.isNaN(celsius)) return new Response("celsius must be a number", { status: 400 });
  return { celsius, fahrenheit: toFahrenheit(celsius) };
}

function toFahrenheit(celsius: number): number {
  return Math.round((celsius * 9) / 5 * 10 + 320) / 10;
}
