// Where the parameters of a model are, drawn to scale: one bar, and a line for each part.
import type { ParameterPart } from "@/gen/lab/v1/preflight_pb";
import { formatCount, formatParameters, formatShare } from "@/lib/format";
import { Explained } from "@/ui/explained";
import styles from "./parameter-breakdown.module.css";

// By the names that lab.spec.parameter_parts gives them.
const PARTS: Record<string, { color: `--run-${number}`; definition: string }> = {
  "token embedding": {
    color: "--run-0",
    definition:
      "One vector of the model's width for each of the tokenizer's 50,257 tokens. In a small GPT this is most of it. When the head is tied it is used twice: to read tokens and to score the next one.",
  },
  positions: {
    color: "--run-5",
    definition: "One learned vector for each place in the context, added to the token's.",
  },
  attention: {
    color: "--run-1",
    definition:
      "Per block: the matrices that make queries, keys and values (width × 3 width), and the one that joins the heads again (width × width).",
  },
  "feed-forward": {
    color: "--run-2",
    definition:
      "Per block: two matrices, up to four times the width and back. Two thirds of a block's parameters.",
  },
  norms: {
    color: "--run-8",
    definition: "A scale and a shift for each LayerNorm. Hardly anything.",
  },
  "output head": {
    color: "--run-3",
    definition:
      "Scores every token as the next one. Tied to the token embedding it has none of its own.",
  },
};
const OTHER = { color: "--run-9" as const, definition: "" };

/** Only the bar, for a card. */
export function ParameterBar({ parts }: { parts: readonly ParameterPart[] }) {
  const total = totalOf(parts);
  if (total === 0) return null;
  return (
    <span
      className={styles["bar"]}
      role="img"
      aria-label={parts
        .map((part) => `${part.name} ${formatShare(Number(part.parameters) / total)}`)
        .join(", ")}
    >
      {parts.map((part) => (
        <span
          key={part.name}
          style={{
            flexGrow: Number(part.parameters) / total,
            background: `var(${(PARTS[part.name] ?? OTHER).color})`,
          }}
        />
      ))}
    </span>
  );
}

export function ParameterBreakdown({ parts }: { parts: readonly ParameterPart[] }) {
  const total = totalOf(parts);
  if (total === 0) return null;
  return (
    <div className={styles["breakdown"]} data-testid="parameter-breakdown">
      <ParameterBar parts={parts} />
      <ul>
        {parts
          .filter((part) => part.parameters > 0n)
          .map(({ name, parameters, perBlock }) => {
            const { color, definition } = PARTS[name] ?? OTHER;
            return (
              <li key={name}>
                <i style={{ background: `var(${color})` }} />
                <span className={styles["name"]}>
                  <Explained
                    as={
                      perBlock > 0n
                        ? `${definition} ${formatCount(perBlock)} in each block.`
                        : definition
                    }
                  >
                    {name}
                  </Explained>
                </span>
                <span>{formatParameters(parameters)}</span>
                <span className={styles["share"]}>{formatShare(Number(parameters) / total)}</span>
              </li>
            );
          })}
      </ul>
    </div>
  );
}

function totalOf(parts: readonly ParameterPart[]): number {
  return parts.reduce((sum, { parameters }) => sum + Number(parameters), 0);
}
