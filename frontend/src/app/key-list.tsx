// The list of keys, opened by `?`: what acts on this page, and the switch that turns single keys off.
import { useSyncExternalStore, type Ref } from "react";
import { keyName, shortcuts } from "@/lib/shortcuts";
import styles from "./key-list.module.css";

// Of charts, which have keys of their own while one of them has focus.
const CHART_KEYS = [
  ["← →", "move the cursor; with Shift ten points"],
  ["+ −", "zoom"],
  ["0 Esc", "show everything"],
] as const;

export function KeyList({ dialog }: { dialog: Ref<HTMLDialogElement> }) {
  const list = useSyncExternalStore(shortcuts.subscribe, shortcuts.list);
  const on = useSyncExternalStore(shortcuts.subscribe, shortcuts.on);
  const newest = new Map(list.map((shortcut) => [shortcut.key, shortcut]));
  return (
    <dialog
      ref={dialog}
      className={styles["dialog"]}
      aria-label="Keys"
      data-testid="key-list"
      onClick={(event) => {
        if (event.target === event.currentTarget) event.currentTarget.close();
      }}
    >
      <div className={styles["body"]}>
        <h2>Keys on this page</h2>
        <dl className={styles["keys"]}>
          {[...newest.values()].map(({ key, label }) => (
            <div key={key}>
              <dt>
                <kbd>{keyName(key)}</kbd>
              </dt>
              <dd>{label}</dd>
            </div>
          ))}
        </dl>
        <h2>With a chart in focus</h2>
        <dl className={styles["keys"]}>
          {CHART_KEYS.map(([key, label]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{label}</dd>
            </div>
          ))}
        </dl>
        <label className={styles["switch"]}>
          <input
            type="checkbox"
            checked={on}
            data-testid="keys-on"
            onChange={(event) => shortcuts.turn(event.target.checked)}
          />
          Single keys act. They never do while you type.
        </label>
      </div>
    </dialog>
  );
}
