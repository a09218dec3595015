// A definition one hover or one focus away. The child must take a ref and be focusable.
import { Tooltip as RadixTooltip } from "radix-ui";
import type { ReactNode } from "react";
import styles from "./tooltip.module.css";

const OPEN_AFTER_MS = 250;

export function Tooltip({ text, children }: { text: ReactNode; children: ReactNode }) {
  return (
    <RadixTooltip.Provider delayDuration={OPEN_AFTER_MS}>
      <RadixTooltip.Root>
        <RadixTooltip.Trigger asChild>{children}</RadixTooltip.Trigger>
        <RadixTooltip.Portal>
          <RadixTooltip.Content
            className={styles["tooltip"] ?? ""}
            sideOffset={6}
            collisionPadding={8}
          >
            {text}
          </RadixTooltip.Content>
        </RadixTooltip.Portal>
      </RadixTooltip.Root>
    </RadixTooltip.Provider>
  );
}
