// Starts the dashboard: theme, live connection, router.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router";
import { ProblemError } from "@/api/problem";
import { isClosed, openSession, tokenIn } from "@/api/session";
import { startTheme } from "@/lib/theme";
import { LiveContext } from "@/live/use-channel";
import "@/ui/tokens.css";
import { Door } from "./door";
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
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
const tree = createRoot(root);

function show(): void {
  const live = startLive();
  tree.render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <LiveContext value={live}>
          <RouterProvider router={router} />
        </LiveContext>
      </QueryClientProvider>
    </StrictMode>,
  );
}

function showDoor(): void {
  tree.render(
    <StrictMode>
      <Door onOpen={() => location.reload()} />
    </StrictMode>,
  );
}

const token = tokenIn(location.hash);
if (token === undefined) {
  show(); // at once: most labs ask for no token, and one that does is found out meanwhile
  void isClosed().then((closed) => closed && showDoor());
} else {
  // Out of the address before anything else can read or bookmark it.
  history.replaceState(history.state, "", location.pathname + location.search);
  openSession(token).then(show, showDoor);
}
