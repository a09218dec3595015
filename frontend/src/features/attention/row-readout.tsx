// One row of the map in words and bars: what a token looks at, and that it hands out exactly all of its attention.
import { memo } from "react";
import { Bars } from "@/charts/bars/bars";
import type { Cell } from "@/charts/heatmap/map-geometry";
import { differenceOf, rowOf, rowSum, strongestKeys, type WeightMatrix } from "./attention-maps";
import styles from "./row-readout.module.css";

const KEYS_SHOWN = 5;

export const RowReadout = memo(function RowReadout({
  matrix,
  other,
  labels,
  cell,
  locked,
  pending,
  averaged = false,
}: {
  matrix: WeightMatrix;
  /** A second model's: then the row tells by how much its weights differ. */
  other?: WeightMatrix | undefined;
  labels: readonly string[];
  cell: Cell;
  locked: boolean;
  /** These numbers answer an older question. */
  pending: boolean;
  /** Cells stand for several tokens, so that a row need not sum to 1. */
  averaged?: boolean;
}) {
  const weight = rowOf(matrix, cell.query)[cell.key] ?? 0;
  const shown = other ? differenceOf(matrix, other) : matrix;
  const strongest = strongestKeys(shown, cell.query, KEYS_SHOWN);
  const elsewhere = other && (rowOf(other, cell.query)[cell.key] ?? 0);
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
        {elsewhere !== undefined && (
          <span data-testid="attention-cell-other">
            , in the other {elsewhere.toFixed(4)} ({signed(elsewhere - weight, 4)})
          </span>
        )}
        <span className={styles["sum"]} data-testid="row-sum">
          {averaged
            ? "cells are averages over several tokens"
            : `row sums to ${rowSum(matrix, cell.query).toFixed(3)}`}
        </span>
        {locked && <span className={styles["lock"]}>locked, Esc lets go</span>}
      </p>
      <Bars
        label={other ? "Where the two rows differ most" : "Where this row looks most"}
        tokens
        bars={Array.from({ length: KEYS_SHOWN }, (_, rank) => strongest[rank]).map(
          (one, rank) =>
            one && {
              key: rank,
              name: labels[one.key] ?? "",
              share: Math.abs(one.weight),
              value: other ? signed(one.weight, 3) : one.weight.toFixed(3),
            },
        )}
      />
    </div>
  );
});

function signed(value: number, digits: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
}
