export const application = "lab";

const names = {
  boots: ["hooks", "throwing", "timeouts", "dependencies", "wrapping", "routes", "decorators", "readiness", "closing"],
  options: ["module", "router", "ids", "proxies", "bodies", "validators", "logging", "loggers", "listening", "printing"],
  plugins: ["modules", "corsOptions", "generators"],
  sockets: ["modules", "declarations", "closing", "ownPreClose", "inject"],
};

export const scripts = Object.fromEntries(
  Object.entries(names).flatMap(([group, of]) => of.map((name) => [
    `${group}: ${name}`,
    async (t) => {
      const { json } = await t.ask("GET", `/${group}/${name}`);
      // Each value has a step of its own, so that a difference names it.
      for (const [key, value] of Object.entries(json)) t.note(key, value);
    },
  ])),
);
