// The addresses of the dashboard. Each page is its own chunk.
import { createBrowserRouter, Navigate } from "react-router";
import { Shell } from "./shell";
import { CrashPage } from "./pages/crash";
import { NotFoundPage } from "./pages/not-found";

export const router = createBrowserRouter([
  {
    element: <Shell />,
    errorElement: <CrashPage />,
    hydrateFallbackElement: <></>,
    children: [
      {
        errorElement: <CrashPage />,
        children: [
          { index: true, element: <Navigate to="/runs" replace /> },
          {
            path: "runs",
            lazy: async () => ({ Component: (await import("./pages/runs")).RunsPage }),
          },
          {
            path: "runs/new",
            lazy: async () => ({ Component: (await import("./pages/new-run")).NewRunPage }),
          },
          {
            path: "runs/:run",
            lazy: async () => ({ Component: (await import("./pages/run")).RunPage }),
          },
          {
            path: "compare",
            lazy: async () => ({ Component: (await import("./pages/compare")).ComparePage }),
          },
          {
            path: "inside",
            lazy: async () => ({ Component: (await import("./pages/inside")).InsidePage }),
          },
          {
            path: "checkpoints",
            lazy: async () => ({
              Component: (await import("./pages/checkpoints")).CheckpointsPage,
            }),
          },
          {
            path: "text",
            lazy: async () => ({ Component: (await import("./pages/text")).TextPage }),
          },
          {
            path: "system",
            lazy: async () => ({ Component: (await import("./pages/system")).SystemPage }),
          },
          { path: "*", element: <NotFoundPage /> },
        ],
      },
    ],
  },
]);
