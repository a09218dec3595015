// What else the model could have written at one place, with its probabilities before temperature and top-k.
import type { GenerateResponse } from "@/gen/lab/v1/inference_service_pb";
import { formatProbability } from "@/lib/format";
import { visibleToken } from "@/lib/token-text";
import { rankedAlternatives } from "./ranked-alternatives";
import styles from "./alternatives.module.css";

export function Alternatives({
  step,
  label = "Likeliest tokens here",
}: {
  step: GenerateResponse | undefined;
  label?: string;
}) {
  if (step === undefined) {
    return (
      <p className={styles["hint"]}>
        Point at a token to see what else the model held likely there; a click holds it.
      </p>
    );
  }
  return (
    <ol className={styles["list"]} data-testid="alternatives" aria-label={label}>
      {rankedAlternatives(step).map((one) => (
        <li key={one.id} className={one.drawn ? styles["drawn"] : undefined}>
          <code title={`token ${one.id}`}>{visibleToken(one.text)}</code>
          <span className={styles["track"]}>
            <span className={styles["bar"]} style={{ width: `${one.probability * 100}%` }} />
          </span>
          <span>{formatProbability(one.probability)}</span>
          <span className={styles["mark"]}>{one.drawn ? "drawn" : ""}</span>
        </li>
      ))}
    </ol>
  );
}
