import { Command } from "commander";

export default () => {
  const seen = [];
  const program = new Command("tool").exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  program.option("-n, --number <n>", "a number", Number, 1).command("run <name>").option("--fast").action((name, options) => {
    seen.push([name, options.fast, program.opts().number]);
  });
  program.parse(["-n", "3", "run", "it", "--fast"], { from: "user" });
  let refused = null;
  try {
    program.parse(["--unknown"], { from: "user" });
  } catch (error) {
    refused = error.code;
  }
  return { seen, refused };
};
