// Everything of a run that can be taken elsewhere: its points, its picture, its spec, the command that makes it again.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { presetsQuery } from "@/api/presets";
import { asProblem } from "@/api/problem";
import type { ChartPicture } from "@/charts/line/picture";
import type { Run } from "@/gen/lab/v1/run_pb";
import { download } from "@/lib/download";
import { formatCount } from "@/lib/format";
import { Button } from "@/ui/button";
import { Menu } from "@/ui/menu";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { startCommand } from "./as-code";
import { runCsv } from "./csv";
import styles from "./export-menu.module.css";
import { runId } from "./state-name";

export function ExportMenu({
  run,
  picture,
  view,
}: {
  run: Run;
  /** The loss chart as it is on screen. */
  picture: () => ChartPicture | null;
  /** The query of an address that shows the same. */
  view: () => string;
}) {
  const queries = useQueryClient();
  const [note, setNote] = useState("");
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const id = runId(run.name);
  const heading = `${run.displayName || id} · loss`;

  const take = (what: () => Promise<string>) => () => {
    setProblem(null);
    what()
      .then(setNote)
      .catch((error: unknown) => {
        setNote("");
        setProblem(asProblem(error));
      });
  };
  const shown = () => {
    const chart = picture();
    if (!chart) throw new Error("The loss chart is not drawn yet; try again in a moment.");
    return chart;
  };

  const csv = async () => {
    const points = await runCsv(run.name, ({ step, lastStep }) =>
      setNote(`reading step ${formatCount(step)} of ${formatCount(lastStep)}`),
    );
    download(points, `${id}.csv`);
    return "CSV saved";
  };
  const png = async () => {
    download(await shown().png(heading), `${id}-loss.png`);
    return "PNG saved";
  };
  const svg = () => {
    download(shown().svg(heading), `${id}-loss.svg`);
    return Promise.resolve("SVG saved");
  };
  const code = async () => {
    const presets = await queries.query(presetsQuery);
    await navigator.clipboard.writeText(startCommand(run, presets));
    return "command copied";
  };
  const link = async () => {
    await navigator.clipboard.writeText(`${location.origin}/${run.name}?${view()}`);
    return "link copied";
  };
  const yaml = () => {
    const link = document.createElement("a");
    link.href = `/api/${run.name}:yaml`;
    link.download = `${id}.yaml`;
    link.click();
    return Promise.resolve("YAML saved");
  };

  return (
    <>
      <Menu
        trigger={<Button data-testid="export">Export ▾</Button>}
        items={[
          {
            label: "Points as CSV",
            hint: "every recorded step",
            onSelect: take(csv),
            "data-testid": "export-csv",
          },
          {
            label: "Loss chart as PNG",
            hint: "as shown",
            onSelect: take(png),
            "data-testid": "export-png",
          },
          {
            label: "Loss chart as SVG",
            hint: "as shown",
            onSelect: take(svg),
            "data-testid": "export-svg",
          },
          {
            label: "Spec as YAML",
            hint: "for --yaml",
            onSelect: take(yaml),
            "data-testid": "export-yaml",
          },
          {
            label: "Copy as code",
            hint: "lab runs start …",
            onSelect: take(code),
            "data-testid": "export-code",
          },
          {
            label: "Copy link to this view",
            hint: "axis, scales, zoom",
            onSelect: take(link),
            "data-testid": "export-link",
          },
        ]}
      />
      <span className={styles["note"]} role="status" data-testid="export-note">
        {note}
      </span>
      {problem && <ProblemNotice problem={problem} />}
    </>
  );
}
