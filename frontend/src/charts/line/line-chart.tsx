// A line chart: canvas, tooltip, text summary. Its data comes from a source outside React.
import { useEffect, useId, useImperativeHandle, useRef, useState, type Ref } from "react";
import { ChartTable } from "./chart-table";
import { ChartTooltip } from "./chart-tooltip";
import { attachGestures } from "./gestures";
import styles from "./line-chart.module.css";
import { ChartPainter, type ChartOptions, type LineSource } from "./painter";
import { picturePng, pictureSvg, type ChartPicture } from "./picture";
import type { LinkedWindow } from "./window";

export function LineChart({
  label,
  summary,
  source,
  window,
  height,
  options,
  picture,
  "data-testid": testId,
}: {
  /** Name of the chart for those who cannot see it. */
  label: string;
  /** What it shows, in a sentence; may change slowly. */
  summary: string;
  source: LineSource;
  window: LinkedWindow;
  height: number;
  options: ChartOptions;
  /** For saving what is shown as a file. */
  picture?: Ref<ChartPicture> | undefined;
  "data-testid": string;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [painter, setPainter] = useState<ChartPainter | null>(null);
  const summaryId = useId();

  useEffect(() => {
    if (!frame.current || !canvas.current) return;
    const element = frame.current;
    const made = new ChartPainter(canvas.current, window);
    const detach = attachGestures(element, made);
    const observer = new ResizeObserver(([entry]) => {
      if (entry) made.resize(entry.contentRect.width, entry.contentRect.height);
    });
    observer.observe(element);
    setPainter(made);
    return () => {
      observer.disconnect();
      detach();
      made.stop();
    };
  }, [window]);

  useEffect(() => painter?.update(source, options), [painter, source, options]);

  useImperativeHandle(picture, () => {
    const scene = () => {
      const shown = painter?.scene();
      if (!shown) throw new Error(`${label} is not drawn yet`);
      return shown;
    };
    return {
      png: async (heading) => picturePng(scene(), heading),
      svg: (heading) => pictureSvg(scene(), heading),
    };
  }, [painter, label]);

  return (
    <>
      <div
        ref={frame}
        className={styles["frame"]}
        style={{ height }}
        tabIndex={0}
        role="group"
        aria-label={label}
        aria-describedby={summaryId}
      >
        <canvas
          ref={canvas}
          className={styles["canvas"]}
          data-testid={testId}
          data-points="0"
          data-last-step=""
          aria-hidden="true"
        />
        {painter && <ChartTooltip painter={painter} options={options} />}
        <p id={summaryId} className="visually-hidden">
          {summary} Arrow keys move the cursor, plus and minus zoom, 0 shows everything.
        </p>
      </div>
      {painter && <ChartTable label={label} painter={painter} options={options} />}
    </>
  );
}
