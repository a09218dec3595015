// One row of the map in words and bars: what a token looks at, and that it hands out exactly all of its attention.
import type { Cell } from "@/charts/heatmap/map-geometry";
import { rowOf, rowSum, strongestKeys, type WeightMatrix } from "./attention-maps";
import styles from "./row-readout.module.css";

const KEYS_SHOWN = 5;

export function RowReadout({
  matrix,
  labels,
  cell,
  locked,
  pending,
  averaged = false,
}: {
  matrix: WeightMatrix;
  labels: readonly string[];
  cell: Cell;
  locked: boolean;
  /** These numbers answer an older question. */
  pending: boolean;
  /** Cells stand for several tokens, so that a row need not sum to 1. */
  averaged?: boolean;
}) {
  const weight = rowOf(matrix, cell.query)[cell.key] ?? 0;
  const strongest = strongestKeys(matrix, cell.query, KEYS_SHOWN);
  return (
    <div
      className={[styles["readout"], pending && styles["pending"]].filter(Boolean).join(" ")}
      data-testid="row-readout"
      data-pending={pending}
    >
      <p className={styles["cell"]} data-testid="attention-cell">
        <code>{labels[cell.query]}</code>
        <span className={styles["place"]}>{cell.query}</span> looks at{" "}
        <code>{labels[cell.key]}</code>
        <span className={styles["place"]}>{cell.key}</span> <strong>{weight.toFixed(4)}</strong>
        <span className={styles["sum"]} data-testid="row-sum">
          {averaged
            ? "cells are averages over several tokens"
            : `row sums to ${rowSum(matrix, cell.query).toFixed(3)}`}
        </span>
        {locked && <span className={styles["lock"]}>locked, Esc lets go</span>}
      </p>
      <ol className={styles["bars"]} aria-label="Where this row looks most">
        {Array.from({ length: KEYS_SHOWN }, (_, rank) => strongest[rank]).map((one, rank) => (
          <li key={rank}>
            {one !== undefined && (
              <>
                <code>{labels[one.key]}</code>
                <span className={styles["track"]}>
                  <span className={styles["bar"]} style={{ width: `${one.weight * 100}%` }} />
                </span>
                <span>{one.weight.toFixed(3)}</span>
              </>
            )}
          </li>
        ))}
      </ol>
    </div>
  );
}
