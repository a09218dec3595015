// Starts the dashboard: theme, live connection, router.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router";
import { ProblemError } from "@/api/problem";
import { startTheme } from "@/lib/theme";
import { LiveContext } from "@/live/use-channel";
import "@/ui/tokens.css";
import { startLive } from "./live";
import { router } from "./router";

const MOST_RETRIES = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays a refusal; only an absent lab is worth asking again.
      retry: (failures, error) =>
        failures < MOST_RETRIES &&
        error instanceof ProblemError &&
        (error.problem.status === 0 || error.problem.status >= 502),
      staleTime: 10_000,
    },
  },
});

startTheme();
const live = startLive();
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <LiveContext value={live}>
        <RouterProvider router={router} />
      </LiveContext>
    </QueryClientProvider>
  </StrictMode>,
);
