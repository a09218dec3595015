// The address of a run as it is looked at: axis, scales, smoothing and zoom, so that a link shows the same.
import type { Stretch } from "@/charts/line/window";
import { AXES, type Axis } from "@/features/training/axis";

export interface RunView {
  axis: Axis;
  logLoss: boolean;
  clipLoss: boolean;
  smoothing: number;
  stretch: Stretch | null;
}

const MOST_SMOOTHING = 0.99;

/** What the address says; undefined when it says nothing of the view. */
export function readView(address: URLSearchParams): RunView | undefined {
  const axis = AXES.find(({ value }) => value === address.get("x"))?.value;
  if (axis === undefined) return undefined;
  const smoothing = Number(address.get("smooth") ?? 0);
  return {
    axis,
    logLoss: address.get("log") === "1",
    clipLoss: address.get("clip") === "1",
    smoothing: smoothing >= 0 && smoothing <= MOST_SMOOTHING ? smoothing : 0,
    stretch: readStretch(address.get("zoom")),
  };
}

export function writeView({ axis, logLoss, clipLoss, smoothing, stretch }: RunView): string {
  const parts = [
    `x=${axis}`,
    logLoss && "log=1",
    clipLoss && "clip=1",
    smoothing > 0 && `smooth=${smoothing}`,
    stretch && `zoom=${writeStretch(stretch)}`,
  ];
  return parts.filter(Boolean).join("&");
}

const DIGITS = 8;

export function writeStretch(stretch: Stretch): string {
  return stretch.map((x) => Number(x.toPrecision(DIGITS))).join("~");
}

export function readStretch(text: string | null): Stretch | null {
  const [from, to] = (text ?? "").split("~").map(Number);
  if (from === undefined || to === undefined) return null;
  return Number.isFinite(from) && Number.isFinite(to) && to > from ? [from, to] : null;
}
