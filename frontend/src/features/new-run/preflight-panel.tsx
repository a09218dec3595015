// What would happen: sizes and amounts of the resolved spec, the schedule, and whether it may start.
import type { Run } from "@/gen/lab/v1/run_pb";
import { formatCount, formatNumber, formatParameters, formatShort } from "@/lib/format";
import { Panel } from "@/ui/panel";
import styles from "./preflight-panel.module.css";
import { SchedulePreview } from "./schedule-preview";

export function PreflightPanel({ run }: { run: Run | undefined }) {
  const { spec, stats } = run ?? {};
  const steps = spec?.budget?.steps;
  const batch = spec?.budget?.batch;
  const context = spec?.model?.context;
  const perStep = batch !== undefined && context !== undefined ? batch * context : undefined;
  const tokens = perStep !== undefined && steps !== undefined ? perStep * steps : undefined;
  const epochs =
    batch !== undefined && steps !== undefined && stats?.epochSequences
      ? (steps * batch) / stats.epochSequences
      : undefined;
  const parameters = stats ? Number(stats.parameters) : undefined;
  const rows: [string, string][] = [
    ["Parameters", formatParameters(stats?.parameters)],
    ["Steps", formatCount(steps)],
    ["Tokens per step", formatCount(perStep)],
    ["Tokens in all", formatShort(tokens)],
    ["Epochs", epochs === undefined ? "–" : formatNumber(epochs)],
    ["Training tokens in the corpus", formatShort(stats?.corpusTokens)],
    ["Tokens per parameter", tokens && parameters ? formatNumber(tokens / parameters) : "–"],
  ];
  return (
    <Panel title="What would happen">
      <dl className={styles["rows"]} data-testid="preflight">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <SchedulePreview spec={spec} />
    </Panel>
  );
}
