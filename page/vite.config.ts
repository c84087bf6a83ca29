/** The page's build: static files named by their content, nothing in the page's own text, nothing from elsewhere. */
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../build/page",
    emptyOutDir: true,
    target: "es2023",
    // Whatever is inlined, the content security policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
  server: { proxy: { "/v1": "http://127.0.0.1:9053", "/api": "http://127.0.0.1:9053" } },
});
