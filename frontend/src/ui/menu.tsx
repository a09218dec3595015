// A button that opens a list of actions, after radix-ui: arrows, typing and Escape work. Not modal, because the modal one
// injects a style, which the content security policy refuses.
import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import styles from "./menu.module.css";

export interface MenuItem {
  label: string;
  /** What one gets, in a few words. */
  hint?: string;
  onSelect: () => void;
  "data-testid"?: string;
}

export function Menu({ trigger, items }: { trigger: ReactNode; items: readonly MenuItem[] }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          className={styles["menu"] ?? ""}
          align="start"
          sideOffset={4}
          collisionPadding={8}
        >
          {items.map(({ label, hint, onSelect, "data-testid": testId }) => (
            <DropdownMenu.Item
              key={label}
              className={styles["item"] ?? ""}
              onSelect={onSelect}
              data-testid={testId}
            >
              <span>{label}</span>
              {hint !== undefined && <span className={styles["hint"]}>{hint}</span>}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
