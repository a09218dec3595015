// The one switch of a comparison: every panel that can, draws what the other weights make different.
import type { LoadedModel } from "@/gen/lab/v1/model_pb";
import { formatCount } from "@/lib/format";
import { useShortcut } from "@/lib/use-shortcut";
import { Button } from "@/ui/button";
import { Explained } from "@/ui/explained";
import { Select } from "@/ui/select";
import {
  againstOf,
  droppedAt,
  isElsewhere,
  NEWEST,
  sameHeads,
  swapped,
  type Against,
  type Elsewhere,
} from "./against";
import styles from "./against-picker.module.css";

const OFF = "";
const DEFINITION =
  "Each panel asks its question of both weights and draws the difference: those here less those at the playhead, orange for more, purple for less, pale for none. A difference says that something changed, not why. A checkpoint of another run can be chosen too. B drops the second playhead where the first stands, X lets them change places.";

/** A checkpoint that is not of this run. */
export interface OtherCheckpoint {
  readonly name: Elsewhere;
  readonly run: string;
  readonly step: number;
}

export function AgainstPicker({
  saved,
  elsewhere,
  at,
  against,
  model,
  other,
  looking,
  onAgainst,
  onSwap,
}: {
  /** Steps whose weights were saved, rising. */
  saved: readonly number[];
  /** Checkpoints of other runs and imports, those of one run together. */
  elsewhere: readonly OtherCheckpoint[];
  /** Where the playhead stands; null at the live end. */
  at: number | null;
  against: Against | null;
  /** The weights at the first playhead, once they are there. */
  model: LoadedModel | undefined;
  /** The weights compared with, once they are there. */
  other: LoadedModel | undefined;
  looking: boolean;
  onAgainst: (against: Against | null) => void;
  onSwap: (places: { at: number | null; against: Against }) => void;
}) {
  const swap = () => {
    if (against !== null && !isElsewhere(against)) onSwap(swapped(at, against));
  };
  useShortcut("b", "Compare: drop the second playhead, or take it away", () =>
    onAgainst(against === null ? droppedAt(at, saved) : null),
  );
  useShortcut("x", "Compare: let both playheads change places", swap);
  const listed = typeof against !== "number" || saved.includes(against);
  const steps = listed ? saved : [...saved, against].sort((a, b) => a - b);
  const others: readonly OtherCheckpoint[] =
    isElsewhere(against) && !elsewhere.some(({ name }) => name === against)
      ? [...elsewhere, unlisted(against)]
      : elsewhere;
  return (
    <div className={styles["bar"]}>
      <label className={styles["choice"]}>
        <span>compare with</span>
        <Select
          value={against === null ? OFF : String(against)}
          onChange={(event) => onAgainst(againstOf(event.target.value))}
          options={[
            { value: OFF, label: "off" },
            { value: NEWEST, label: "newest weights" },
            ...steps.map((step) => ({ value: String(step), label: `step ${formatCount(step)}` })),
            ...others.map(({ name, run, step }) => ({
              value: name,
              label: Number.isNaN(step)
                ? `${run}, not listed`
                : `${run}, step ${formatCount(step)}`,
              group: run,
            })),
          ]}
          data-testid="compare-against"
        />
      </label>
      <Explained as={DEFINITION}>?</Explained>
      {against !== null && (
        <>
          {!isElsewhere(against) && (
            <Button kind="quiet" title="Both playheads change places (X)" onClick={swap}>
              swap
            </Button>
          )}
          <span className={styles["step"]} aria-live="polite" data-testid="against-step">
            {other
              ? `against ${isElsewhere(against) ? `${nameOf(against, others)} at ` : ""}step ${formatCount(other.step)}`
              : looking
                ? "taking the other weights…"
                : ""}
          </span>
          {model && other && !sameHeads(model.spec, other.spec) && (
            <span className={styles["step"]} data-testid="against-unlike">
              Its layers × heads are {other.spec?.layers} × {other.spec?.heads}, not{" "}
              {model.spec?.layers} × {model.spec?.heads}: texts, token losses, largest numbers and
              embeddings are compared; what goes by layer, head or weight is shown of the first
              alone.
            </span>
          )}
        </>
      )}
    </div>
  );
}

/** What the address names and the list has not: deleted, or not there yet. */
function unlisted(name: Elsewhere): OtherCheckpoint {
  const [, run = ""] = name.split("/");
  return { name, run, step: NaN };
}

function nameOf(against: Elsewhere, others: readonly OtherCheckpoint[]): string {
  return others.find(({ name }) => name === against)?.run ?? "";
}
