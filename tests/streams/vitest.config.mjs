import { defineConfig } from "vitest/config";

// A request waits 15 seconds for data, longer than vitest lets a test take by default.
export default defineConfig({ test: { testTimeout: 40_000, hookTimeout: 40_000, include: ["*.test.mjs"] } });
