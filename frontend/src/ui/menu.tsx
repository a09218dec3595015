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
  /** For a choice that is on or off; the list then stays open. */
  checked?: boolean;
  /** On a telephone only, where the button for it has no room. */
  narrow?: boolean;
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
          {items.map(({ checked, ...item }) =>
            checked === undefined ? (
              <Action key={item.label} {...item} />
            ) : (
              <Choice key={item.label} {...item} checked={checked} />
            ),
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

function Action({ label, hint, narrow = false, onSelect, "data-testid": testId }: MenuItem) {
  const className = [styles["item"], narrow && styles["narrow"]].filter(Boolean).join(" ");
  return (
    <DropdownMenu.Item className={className} onSelect={onSelect} data-testid={testId}>
      <span>{label}</span>
      {hint !== undefined && <span className={styles["hint"]}>{hint}</span>}
    </DropdownMenu.Item>
  );
}

function Choice({ label, hint, checked, onSelect, "data-testid": testId }: MenuItem) {
  return (
    <DropdownMenu.CheckboxItem
      className={styles["item"] ?? ""}
      checked={checked ?? false}
      title={hint}
      data-testid={testId}
      onSelect={(event) => {
        event.preventDefault();
        onSelect();
      }}
    >
      <span>
        <span aria-hidden="true">{checked ? "☑" : "☐"}</span> {label}
      </span>
    </DropdownMenu.CheckboxItem>
  );
}
