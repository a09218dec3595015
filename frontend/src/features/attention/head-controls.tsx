// Layer and head by name, for the keyboard and for links; and what the map does not say.
import { Select } from "@/ui/select";
import { Tooltip } from "@/ui/tooltip";
import styles from "./attention-explorer.module.css";
import type { HeadChoice } from "./use-attention";

const CAVEAT =
  "Attention is not importance. A weight says how much of a value vector is mixed in, not how much that changes the " +
  "prediction: values can be small, later layers can undo it, and much weight often rests on the first token just to " +
  "have somewhere to go.";

export function HeadControls({
  layers,
  heads,
  layer,
  head,
  onHead,
}: {
  layers: number;
  heads: number;
  layer: number;
  head: HeadChoice;
  onHead: (layer: number, head: HeadChoice) => void;
}) {
  return (
    <>
      <label className={styles["control"]}>
        layer
        <Select
          value={String(layer)}
          onChange={(event) => onHead(Number(event.target.value), head)}
          options={numbered(layers)}
          data-testid="layer-select"
        />
      </label>
      <label className={styles["control"]}>
        head
        <Select
          value={String(head)}
          onChange={(event) => {
            const { value } = event.target;
            onHead(layer, value === "mean" ? value : Number(value));
          }}
          options={[...numbered(heads), { value: "mean", label: "mean" }]}
          data-testid="head-select"
        />
      </label>
      <Tooltip text={CAVEAT}>
        <button type="button" className={styles["caveat"]} aria-label="What this map does not say">
          ?
        </button>
      </Tooltip>
    </>
  );
}

function numbered(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    value: String(index),
    label: String(index),
  }));
}
