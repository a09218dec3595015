// Says on every page that news is held up, while the gateway is without NATS: the connection itself is fine and looks so.
import { useChannel } from "@/live/use-channel";
import styles from "./bus-note.module.css";
import { systemReducer, waitsForBus } from "./system-state";

export function BusNote() {
  const { state, status } = useChannel("system", systemReducer);
  if (status !== "live" || !waitsForBus(state)) return null;
  return (
    <p className={styles["note"]} role="status" data-testid="bus-note">
      <strong>NATS is away.</strong> What happens is shown once it is back; until then reload to see
      the newest. Training goes on, and nothing recorded is lost.
    </p>
  );
}
