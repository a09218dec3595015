import { describe, expect, it } from "vitest";
import * as format from "./format";

describe("numbers as look.md writes them", () => {
  it.each<[string, string]>([
    [format.formatLoss(3.4118), "3.412"],
    [format.formatPerplexity(3.412), "30.3"],
    [format.formatPerplexity(10.825), "50,262"],
    [format.formatPerplexity(900), "∞"],
    [format.formatParameters(9_940_000), "9.94M"],
    [format.formatParameters(124_439_808n), "124.4M"],
    [format.formatParameters(51_200_000n), "51.2M"],
    [format.formatShort(5_146), "5.15k"],
    [format.formatShort(999_960), "1.00M"],
    [format.formatShort(812), "812"],
    [format.formatCount(1204), "1,204"],
    [format.formatCount(2211.7), "2,212"],
    [format.formatBytes(1.1 * 1024 ** 3), "1.1 GiB"],
    [format.formatBytes(512n), "512 B"],
    [format.formatBytes(1023.9 * 1024), "1.0 MiB"],
    [format.formatLearningRate(6e-4), "6.0e-4"],
    [format.formatLearningRate(0), "0"],
    [format.formatNumber(0.8123), "0.81"],
    [format.formatNumber(0.0123), "0.012"],
    [format.formatNumber(1204.4), "1,204"],
    [format.formatDuration(29 * 60 + 12), "29 m 12 s"],
    [format.formatDuration(59.7), "1 m 00 s"],
    [format.formatDuration(3 * 3600 + 4 * 60), "3 h 04 m"],
    [format.formatDuration(0.42), "0.4 s"],
    [format.formatDuration(12), "12 s"],
    [format.formatDuration(26 * 3600), "1 d 02 h"],
    [format.formatStepTime(0.4123), "412 ms"],
    [format.formatStepTime(1.239), "1.24 s"],
    [format.formatStepTime(0.0012), "1.2 ms"],
    [format.formatShare(0.241), "24 %"],
    [format.formatProbability(0.1254), "12.5 %"],
    [format.formatProbability(0.0154), "1.5 %"],
    [format.formatProbability(0.0000171), "0.0017 %"],
    [format.formatProbability(1e-9), "<0.0001 %"],
    [format.formatProbability(0), "0 %"],
    [format.formatAge(3), "just now"],
    [format.formatAge(300), "5 m ago"],
    [format.formatTick(10, 2), "10"],
    [format.formatTick(10, 0.5), "10.0"],
    [format.formatTick(10.825, 0.005), "10.825"],
  ])("%s is %s", (shown, wanted) => {
    expect(shown).toBe(wanted);
  });

  it("never shows a number that is not there, and says NaN and infinity as such", () => {
    const all = [
      format.formatLoss,
      format.formatCount,
      format.formatShort,
      format.formatParameters,
      format.formatPerplexity,
      format.formatBytes,
      format.formatLearningRate,
      format.formatNumber,
      format.formatDuration,
      format.formatStepTime,
      format.formatShare,
      format.formatProbability,
    ];
    for (const one of all) {
      expect(one(undefined)).toBe("–");
      expect(one(NaN)).toBe("NaN");
      expect(one(Infinity)).toBe("∞");
    }
  });
});
