// A chart as a file: with a heading and a legend, because a picture travels without its page.
import { cssColor } from "@/lib/colors";
import { drawScene, FONT, fullName, type Line, type Scene } from "./draw";
import type { Ink } from "./ink";
import { SvgInk } from "./svg-ink";

/** What can be had of a chart on screen. */
export interface ChartPicture {
  png(heading: string): Promise<Blob>;
  svg(heading: string): Blob;
}

const HEADING_PX = 28;
const FOOT_PX = 22;
const PNG_SCALE = 2; // sharp on any screen and in print

export async function picturePng(scene: Scene, heading: string): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(scene.width * PNG_SCALE);
  canvas.height = Math.round(pictureHeight(scene) * PNG_SCALE);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser gave no canvas to draw on");
  context.scale(PNG_SCALE, PNG_SCALE);
  drawPicture(context, scene, heading);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error("this browser could not write the picture as PNG"));
    }, "image/png");
  });
}

export function pictureSvg(scene: Scene, heading: string): Blob {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) throw new Error("this browser gave no canvas to measure text with");
  const ink = new SvgInk(scene.width, pictureHeight(scene), (text, font) => {
    context.font = font;
    return context.measureText(text);
  });
  drawPicture(ink, scene, heading);
  return new Blob([ink.text()], { type: "image/svg+xml" });
}

function pictureHeight(scene: Scene): number {
  return scene.height + HEADING_PX + FOOT_PX;
}

function drawPicture(ink: Ink, scene: Scene, heading: string): void {
  const height = pictureHeight(scene);
  ink.clearRect(0, 0, scene.width, height);
  ink.fillStyle = cssColor("--panel");
  ink.fillRect(0, 0, scene.width, height);
  const { box } = scene;
  const moved = { ...box, top: box.top + HEADING_PX, bottom: box.bottom + HEADING_PX };
  const y = scene.y.copy().range([moved.bottom, moved.top]);
  drawScene(ink, { ...scene, box: moved, y, cursor: null, selection: null, forFile: true });
  ink.font = `600 13px system-ui, sans-serif`;
  ink.fillStyle = cssColor("--text");
  ink.textAlign = "left";
  ink.textBaseline = "middle";
  ink.fillText(heading, 12, HEADING_PX / 2 + 2);
  drawLegend(ink, scene.lines, height - FOOT_PX / 2, box.left);
}

function drawLegend(ink: Ink, lines: readonly Line[], y: number, left: number): void {
  ink.font = FONT;
  ink.textAlign = "left";
  ink.textBaseline = "middle";
  let x = left;
  for (const line of lines) {
    if (line.untold || line.columns.length === 0) continue;
    ink.globalAlpha = line.mark === "faint" || line.inherited ? 0.5 : 1;
    ink.fillStyle = cssColor(line.color);
    if (line.mark === "points") ink.fillRect(x + 5, y - 3, 6, 6);
    else ink.fillRect(x, y - 1, 16, 2);
    ink.globalAlpha = 1;
    ink.fillStyle = cssColor("--muted");
    const name = fullName(line);
    ink.fillText(name, x + 21, y);
    x += 21 + ink.measureText(name).width + 16;
  }
}
