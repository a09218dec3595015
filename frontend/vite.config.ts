import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const gateway = process.env["LAB_GATEWAY"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: {
    host: "127.0.0.1",
    port: 3000,
    strictPort: true,
    // The Host header is kept, because the gateway checks that Host and Origin agree.
    proxy: { "/api": { target: gateway, ws: true, changeOrigin: false } },
  },
  build: { target: "es2023", sourcemap: true },
  test: {
    restoreMocks: true,
    // A document is slow to make, so only tests of components (*.test.tsx) get one.
    projects: [
      {
        extends: true,
        test: { name: "logic", environment: "node", include: ["src/**/*.test.ts"] },
      },
      {
        extends: true,
        test: {
          name: "components",
          environment: "jsdom",
          include: ["src/**/*.test.tsx"],
          setupFiles: ["src/test-setup.ts"],
        },
      },
    ],
  },
});
