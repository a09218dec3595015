// What takes the disk: each run's checkpoints, the trash, and what is free, as one bar in words and lengths.
import type { GetDiskUseResponse } from "@/gen/lab/v1/checkpoint_service_pb";
import { formatBytes } from "@/lib/format";
import { inWords, shares } from "./disk-shares";
import styles from "./disk-use-bar.module.css";

export function DiskUseBar({ use }: { use: GetDiskUseResponse }) {
  const parts = shares(use);
  const said = parts.map((part) => `${part.label} ${formatBytes(part.bytes)}`).join(", ");
  return (
    <div className={styles["box"]} data-testid="disk-use">
      <svg
        className={styles["bar"]}
        viewBox="0 0 1000 10"
        preserveAspectRatio="none"
        role="img"
        aria-label={`Disk: ${said}`}
      >
        {parts.map((part) => (
          <rect
            key={part.label}
            className={styles[part.kind]}
            x={part.from * 1000}
            y="0"
            width={part.share * 1000}
            height="10"
          >
            <title>{`${part.label}: ${formatBytes(part.bytes)}`}</title>
          </rect>
        ))}
      </svg>
      <p className={styles["words"]}>{inWords(use)}</p>
    </div>
  );
}
