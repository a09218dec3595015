// Asks before something is destroyed. The one modal besides the command palette and the new-run form.
import { AlertDialog } from "radix-ui";
import type { ReactNode } from "react";
import { Button } from "./button";
import styles from "./confirm-dialog.module.css";

export function ConfirmDialog({
  trigger,
  title,
  children,
  confirm,
  onConfirm,
}: {
  trigger: ReactNode;
  title: string;
  children: ReactNode;
  /** The verb on the button, as in "Delete run". */
  confirm: string;
  onConfirm: () => void;
}) {
  return (
    <AlertDialog.Root>
      <AlertDialog.Trigger asChild>{trigger}</AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={styles["overlay"] ?? ""} />
        <AlertDialog.Content className={styles["content"] ?? ""}>
          <AlertDialog.Title className={styles["title"] ?? ""}>{title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className={styles["text"]}>{children}</div>
          </AlertDialog.Description>
          <div className={styles["actions"]}>
            <AlertDialog.Cancel asChild>
              <Button data-testid="confirm-cancel">Cancel</Button>
            </AlertDialog.Cancel>
            <AlertDialog.Action asChild>
              <Button kind="danger" onClick={onConfirm} data-testid="confirm-action">
                {confirm}
              </Button>
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
