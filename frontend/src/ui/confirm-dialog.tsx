// Asks before something is destroyed. The browser's own modal dialog: focus, Escape and inertness come with it, and it
// injects no styles, which the content security policy would refuse.
import { useId, useRef, type ReactNode } from "react";
import { Button } from "./button";
import styles from "./confirm-dialog.module.css";

export function ConfirmDialog({
  trigger,
  title,
  children,
  confirm,
  onConfirm,
}: {
  /** A button; clicking it asks. */
  trigger: ReactNode;
  title: string;
  children: ReactNode;
  /** The verb on the button, as in "Delete run". */
  confirm: string;
  onConfirm: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const textId = useId();
  return (
    <>
      {/* The button inside is what has focus and keys; its click is only overheard here. */}
      <span className={styles["trigger"]} onClick={() => dialog.current?.showModal()}>
        {trigger}
      </span>
      <dialog
        ref={dialog}
        role="alertdialog"
        className={styles["dialog"]}
        aria-labelledby={titleId}
        aria-describedby={textId}
      >
        <h2 id={titleId}>{title}</h2>
        <div id={textId} className={styles["text"]}>
          {children}
        </div>
        <div className={styles["actions"]}>
          <Button autoFocus onClick={() => dialog.current?.close()} data-testid="confirm-cancel">
            Cancel
          </Button>
          <Button
            kind="danger"
            data-testid="confirm-action"
            onClick={() => {
              dialog.current?.close();
              onConfirm();
            }}
          >
            {confirm}
          </Button>
        </div>
      </dialog>
    </>
  );
}
