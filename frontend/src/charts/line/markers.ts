// What happened beside the curve: small signs on the bottom of a chart, and which of them the cursor is at.
import { cssColor } from "@/lib/colors";
import type { Box, Scale } from "./geometry";
import type { Ink } from "./ink";
import type { Stretch } from "./window";

export type MarkerKind = "checkpoint" | "sample" | "pause" | "resume" | "spike" | "fork";

export interface Marker {
  x: number;
  kind: MarkerKind;
  /** As a tooltip says it. */
  text: string;
}

const NEAR_PX = 5;
const COLORS: Record<MarkerKind, `--${string}`> = {
  checkpoint: "--done",
  sample: "--ink-5",
  pause: "--paused",
  resume: "--running",
  spike: "--failed",
  fork: "--done",
};

export function drawMarkers(
  ink: Ink,
  markers: readonly Marker[],
  box: Box,
  x: Scale,
  [from, to]: Stretch,
): void {
  const taken = new Set<string>();
  for (const { x: at, kind } of markers) {
    if (at < from || at > to) continue;
    const px = Math.round(x(at));
    const place = `${kind} ${px}`;
    if (taken.has(place)) continue; // thousands of samples are one band of ink
    taken.add(place);
    ink.fillStyle = ink.strokeStyle = cssColor(COLORS[kind]);
    drawSign(ink, kind, px, box);
  }
}

function drawSign(ink: Ink, kind: MarkerKind, px: number, { top, bottom }: Box): void {
  switch (kind) {
    case "sample":
      ink.fillRect(px - 0.5, bottom - 6, 1.5, 6);
      return;
    case "checkpoint":
      ink.fillRect(px - 3.5, bottom - 8, 7, 7);
      return;
    case "spike":
      ink.beginPath();
      ink.moveTo(px - 4, top);
      ink.lineTo(px + 4, top);
      ink.lineTo(px, top + 8);
      ink.closePath();
      ink.fill();
      return;
    case "fork":
      dashedLine(ink, px, top, bottom);
      ink.fillRect(px - 4, bottom - 18, 8, 3);
      return;
    case "pause":
      dashedLine(ink, px, top, bottom);
      ink.fillRect(px - 9, bottom - 18, 3, 8); // beside the line, where a resume has its place too
      ink.fillRect(px - 4, bottom - 18, 3, 8);
      return;
    case "resume":
      ink.beginPath();
      ink.moveTo(px + 3, bottom - 18);
      ink.lineTo(px + 10, bottom - 14);
      ink.lineTo(px + 3, bottom - 10);
      ink.closePath();
      ink.fill();
  }
}

function dashedLine(ink: Ink, px: number, top: number, bottom: number): void {
  ink.setLineDash([2, 3]);
  ink.lineWidth = 1;
  ink.globalAlpha = 0.6;
  ink.beginPath();
  ink.moveTo(px + 0.5, top);
  ink.lineTo(px + 0.5, bottom);
  ink.stroke();
  ink.globalAlpha = 1;
  ink.setLineDash([]);
}

/** The markers at the cursor, one text each. */
export function markersAt(markers: readonly Marker[], cursor: number, x: Scale): string[] {
  const px = x(cursor);
  const near = markers.filter((marker) => Math.abs(x(marker.x) - px) <= NEAR_PX);
  return [...new Set(near.map(({ text }) => text))];
}
