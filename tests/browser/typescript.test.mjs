import { example } from "./support/example.mjs";

example("typescript", async ({ open }) => {
  const window = await open("/typescript");
  await window.shows("#fahrenheit", "68");

  await window.page.getByLabel("Celsius").fill("21");
  await window.page.getByRole("button", { name: "Convert" }).click();

  await window.shows("#fahrenheit", "69.8");
});
