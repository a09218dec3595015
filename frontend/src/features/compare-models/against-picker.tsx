// The one switch of a comparison: every panel that can, draws what the other weights make different.
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { formatCount } from "@/lib/format";
import { useShortcut } from "@/lib/use-shortcut";
import { Button } from "@/ui/button";
import { Explained } from "@/ui/explained";
import { Select } from "@/ui/select";
import { droppedAt, NEWEST, stepOfAgainst, swapped, type Against } from "./against";
import styles from "./against-picker.module.css";

const OFF = "";
const DEFINITION =
  "Each panel asks its question of both weights and draws the difference: those here less those at the playhead, orange for more, purple for less, pale for none. A difference says that something changed, not why. B drops the second playhead where the first stands, X lets them change places.";

export function AgainstPicker({
  saved,
  at,
  against,
  other,
  looking,
  onAgainst,
  onSwap,
}: {
  /** Steps whose weights were saved, rising. */
  saved: readonly number[];
  /** Where the playhead stands; null at the live end. */
  at: number | null;
  against: Against | null;
  /** The weights compared with, once they are there. */
  other: LoadedModel | undefined;
  looking: boolean;
  onAgainst: (against: Against | null) => void;
  onSwap: (places: { at: number | null; against: Against }) => void;
}) {
  const swap = () => {
    if (against !== null) onSwap(swapped(at, against));
  };
  useShortcut("b", "Compare: drop the second playhead, or take it away", () =>
    onAgainst(against === null ? droppedAt(at, saved) : null),
  );
  useShortcut("x", "Compare: let both playheads change places", swap);
  const listed = typeof against !== "number" || saved.includes(against);
  const steps = listed ? saved : [...saved, against].sort((a, b) => a - b);
  return (
    <div className={styles["bar"]}>
      <label className={styles["choice"]}>
        <span>compare with</span>
        <Select
          value={against === null ? OFF : String(against)}
          onChange={(event) => onAgainst(stepOfAgainst(event.target.value))}
          options={[
            { value: OFF, label: "off" },
            { value: NEWEST, label: "newest weights" },
            ...steps.map((step) => ({ value: String(step), label: `step ${formatCount(step)}` })),
          ]}
          data-testid="compare-against"
        />
      </label>
      <Explained as={DEFINITION}>?</Explained>
      {against !== null && (
        <>
          <Button kind="quiet" title="Both playheads change places (X)" onClick={swap}>
            swap
          </Button>
          <span className={styles["step"]} aria-live="polite" data-testid="against-step">
            {other
              ? `against step ${formatCount(other.step)}`
              : looking
                ? "taking the other weights…"
                : ""}
          </span>
        </>
      )}
    </div>
  );
}
