// Is what the page shows true now? Always visible: live with its latency, reconnecting since when, or refused and why.
import { useEffect, useState } from "react";
import { formatDuration } from "@/lib/format";
import type { Connection } from "@/live/connection";
import { useConnection, useLiveClient } from "@/live/use-channel";
import { Button } from "@/ui/button";
import styles from "./connection-status.module.css";

const LOOK_AGAIN_MS = 1000;

export function ConnectionStatus() {
  const client = useLiveClient();
  const connection = useConnection();
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  const medianMs = client.latency.quantile(0.5);
  const p95Ms = client.latency.quantile(0.95);
  return (
    <div
      className={styles["status"]}
      role="status"
      data-testid="connection-status"
      data-state={connection.state}
      data-latency-ms={medianMs?.toFixed(0)}
      data-latency-p95-ms={p95Ms?.toFixed(0)}
    >
      <span className={styles["mark"]} aria-hidden="true" />
      <span className={styles["words"]}>{words(connection, medianMs, nowMs)}</span>
      {(connection.state === "reconnecting" || connection.state === "refused") && (
        <Button kind="quiet" onClick={() => client.connect()} data-testid="connection-retry">
          try now
        </Button>
      )}
    </div>
  );
}

function words(connection: Connection, medianMs: number | undefined, nowMs: number): string {
  switch (connection.state) {
    case "connecting":
      return "connecting";
    case "live":
      return medianMs === undefined ? "live" : `live ${medianMs.toFixed(0)} ms`;
    case "reconnecting": {
      const staleSecs = Math.max(0, Math.round((nowMs - connection.staleSinceMs) / 1000));
      const nextSecs = Math.max(0, Math.ceil((connection.nextTryAtMs - nowMs) / 1000));
      return `stale for ${formatDuration(staleSecs)}: ${connection.reason}, next try in ${nextSecs} s`;
    }
    case "refused":
      return `not connected: ${connection.reason}`;
  }
}
