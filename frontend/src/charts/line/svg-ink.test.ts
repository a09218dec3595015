import { describe, expect, it } from "vitest";
import { SvgInk } from "./svg-ink";

function ink() {
  return new SvgInk(100, 50, (text) => ({ width: text.length * 6 }) as TextMetrics);
}

describe("ink that is SVG", () => {
  it("writes strokes with what was set when they were made", () => {
    const svg = ink();
    svg.strokeStyle = "#123456";
    svg.lineWidth = 2;
    svg.setLineDash([4, 4]);
    svg.globalAlpha = 0.5;
    svg.beginPath();
    svg.moveTo(1, 2);
    svg.lineTo(3.14159, 4);
    svg.stroke();
    svg.strokeStyle = "#ffffff";
    expect(svg.text()).toContain(
      `<path d="M1 2L3.14 4" fill="none" stroke="#123456" stroke-width="2" stroke-linecap="butt" stroke-linejoin="miter" stroke-dasharray="4 4" opacity="0.5"/>`,
    );
  });

  it("closes what a clip opened, at the restore of its save", () => {
    const svg = ink();
    svg.save();
    svg.beginPath();
    svg.rect(0, 0, 10, 10);
    svg.clip();
    svg.fillRect(1, 1, 2, 2);
    svg.restore();
    svg.fillRect(3, 3, 2, 2);
    const text = svg.text();
    expect(text.indexOf("</g>")).toBeGreaterThan(text.indexOf(`x="1"`));
    expect(text.indexOf("</g>")).toBeLessThan(text.indexOf(`x="3"`));
    expect(text.match(/<g /g)).toHaveLength(1);
  });

  it("escapes texts and stays XML", () => {
    const svg = ink();
    svg.fillText(`a<b> & "c"`, 1, 2);
    expect(svg.text()).toContain("a&lt;b&gt; &amp; &quot;c&quot;</text>");
  });
});
