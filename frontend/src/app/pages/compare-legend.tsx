// The compared runs: colour, newest value, shown or hidden, alone, baseline. Pointing at one makes the others pale.
import { Link } from "react-router";
import { StateBadge } from "@/features/runs/state-badge";
import { runId } from "@/features/runs/state-name";
import { COMPARED_METRICS, type ComparedCurve } from "@/features/training/compared";
import { CompareValue } from "@/features/training/compare-value";
import type { CurveGroup } from "@/features/training/grouped";
import type { Run } from "@/gen/lab/v1/run_pb";
import { runColorVariable } from "@/lib/colors";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import { Select } from "@/ui/select";
import { MOST_COMPARED, type CompareChoice } from "./compare-address";
import type { Known } from "./compare-run";
import styles from "./compare.module.css";

export function CompareLegend({
  choice,
  curves,
  groups,
  known,
  all,
  change,
  onLight,
}: {
  choice: CompareChoice;
  curves: readonly ComparedCurve[];
  /** The shown ones, where several are drawn as one. */
  groups: readonly CurveGroup[] | undefined;
  known: ReadonlyMap<string, Known>;
  /** Every run of the lab, for adding one. */
  all: readonly Run[];
  change: (part: Partial<CompareChoice>) => void;
  onLight: (id: string | null) => void;
}) {
  const { runs, hidden, baseline, metric } = choice;
  const label = COMPARED_METRICS.find((one) => one.metric === metric)?.label;
  const others = all.filter((run) => !runs.includes(runId(run.name)));
  const toggle = (id: string) =>
    change({
      hidden: hidden.includes(id) ? hidden.filter((one) => one !== id) : [...hidden, id],
    });
  const alone = (id: string) => runs.every((one) => (one === id) !== hidden.includes(one));
  const solo = (id: string) =>
    change({ hidden: alone(id) ? [] : runs.filter((one) => one !== id) });
  const remove = (id: string) =>
    change({
      runs: runs.filter((one) => one !== id),
      hidden: hidden.filter((one) => one !== id),
      baseline: baseline === id ? null : baseline,
    });
  const add = (id: string) => id !== "" && change({ runs: [...runs, id] });

  return (
    <Panel
      title={`Compared runs (${runs.length})`}
      flush
      controls={
        <Select
          aria-label="Add a run"
          data-testid="compare-add"
          value=""
          disabled={others.length === 0 || runs.length >= MOST_COMPARED}
          options={[
            { value: "", label: runs.length >= MOST_COMPARED ? "20 is the most" : "add a run" },
            ...others.map((run) => ({
              value: runId(run.name),
              label: run.displayName || runId(run.name),
            })),
          ]}
          onChange={(event) => add(event.target.value)}
        />
      }
    >
      <div className={styles["scroll"]} tabIndex={0} role="region" aria-label="Compared runs">
        <table className={styles["legend"]} onMouseLeave={() => onLight(null)}>
          <thead>
            <tr>
              <th scope="col">Shown</th>
              <th scope="col">Run</th>
              <th scope="col" className={styles["state"]}>
                State
              </th>
              <th scope="col" className={styles["number"]}>
                {label}
              </th>
              <th scope="col">Baseline</th>
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {runs.map((id) => {
              const curve = curves.find(({ name }) => name === `runs/${id}`);
              const group = curve && groups?.find(({ curves: members }) => members.includes(curve));
              const drawn = group?.curves[0] ?? curve;
              const { run, missing } = known.get(id) ?? {};
              const called = run?.displayName || id;
              const isHidden = hidden.includes(id);
              return (
                <tr
                  key={id}
                  data-testid="compare-row"
                  data-run={id}
                  data-hidden={isHidden}
                  onMouseEnter={() => onLight(isHidden ? null : id)}
                  onFocus={() => onLight(isHidden ? null : id)}
                  onBlur={() => onLight(null)}
                >
                  <td>
                    <input
                      type="checkbox"
                      checked={!isHidden}
                      aria-label={`Show ${called}`}
                      title="Alt-click shows this one alone"
                      data-testid="compare-show"
                      onChange={({ nativeEvent: by }) => {
                        if (by instanceof MouseEvent && by.altKey) solo(id);
                        else toggle(id);
                      }}
                    />
                  </td>
                  <td className={styles["name"]}>
                    <svg width="22" height="8" aria-hidden="true" className={styles["swatch"]}>
                      <line
                        x1="1"
                        x2="21"
                        y1="4"
                        y2="4"
                        strokeWidth="3"
                        stroke={`var(${drawn?.color ?? runColorVariable(`runs/${id}`)})`}
                        strokeDasharray={drawn?.dash.join(" ")}
                      />
                    </svg>
                    <Link to={`/runs/${id}`} title={called}>
                      {called}
                    </Link>
                    {group && group.curves.length > 1 && (
                      <span className={styles["group"]}>in “{group.label}”</span>
                    )}
                  </td>
                  <td className={styles["state"]}>
                    {run && missing === undefined ? (
                      <StateBadge state={run.state} />
                    ) : (
                      <span className={styles["missing"]}>{missing ?? "waiting"}</span>
                    )}
                  </td>
                  <td className={styles["number"]}>
                    {curve && <CompareValue series={curve.series} metric={metric} />}
                  </td>
                  <td>
                    <input
                      type="checkbox"
                      checked={baseline === id}
                      aria-label={`Measure the others from ${called}`}
                      data-testid="compare-baseline"
                      onChange={() => change({ baseline: baseline === id ? null : id })}
                    />
                  </td>
                  <td className={styles["actions"]}>
                    <Button
                      kind="quiet"
                      aria-pressed={alone(id)}
                      aria-label={`Solo ${called}`}
                      data-testid="compare-solo"
                      onClick={() => solo(id)}
                    >
                      Solo
                    </Button>
                    <Button
                      kind="quiet"
                      aria-label={`Take out ${called}`}
                      data-testid="compare-remove"
                      onClick={() => remove(id)}
                    >
                      Take out
                    </Button>
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
