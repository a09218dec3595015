import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { GetDiskUseResponseSchema, RunDiskUseSchema } from "@/gen/lab/v1/checkpoint_service_pb";
import { inWords, shares } from "./disk-shares";

function use(runs: number[], trash: number, free: number) {
  return create(GetDiskUseResponseSchema, {
    runs: runs.map((size, index) =>
      create(RunDiskUseSchema, { run: `runs/r${String(index)}`, sizeBytes: BigInt(size) }),
    ),
    sizeBytes: BigInt(runs.reduce((sum, size) => sum + size, 0)),
    trashBytes: BigInt(trash),
    freeBytes: BigInt(free),
  });
}

describe("shares of the disk", () => {
  it("lays runs, trash and free space end to end", () => {
    const parts = shares(use([40, 20], 20, 20));
    expect(parts.map((part) => part.label)).toEqual(["r0", "r1", "trash", "free"]);
    expect(parts.map((part) => part.share)).toEqual([0.4, 0.2, 0.2, 0.2]);
    expect(parts[3]?.from).toBeCloseTo(0.8);
  });

  it("keeps what is saved visible on a large empty disk, and says the true size", () => {
    const parts = shares(use([10], 0, 1_000_000));
    expect(parts.map((part) => part.share)).toEqual([0.5, 0.5]);
    expect(parts[1]?.bytes).toBe(1_000_000n);
  });

  it("draws many runs as a few and the rest", () => {
    const parts = shares(use(Array<number>(20).fill(5), 0, 0));
    expect(parts).toHaveLength(9);
    expect(parts[8]).toMatchObject({ label: "other runs", bytes: 60n });
  });

  it("is told in words, with who takes most and where it is not to scale", () => {
    const mebi = 1 << 20;
    const many = use([4 * mebi, 3 * mebi, 2 * mebi, mebi, mebi], mebi, 12 * mebi);
    expect(inWords(many)).toBe(
      "11.0 MiB saved (r0 4.0 MiB, r1 3.0 MiB, r2 2.0 MiB, 2 more), 1.0 MiB in the trash, 12.0 MiB free",
    );
    expect(inWords(use([mebi], 0, 9 * mebi))).toBe(
      "1.0 MiB saved, 0 B in the trash, 9.0 MiB free, drawn shorter",
    );
  });

  it("is all free when nothing is saved, and nothing on no disk", () => {
    expect(shares(use([], 0, 500))).toMatchObject([{ kind: "free", from: 0, share: 1 }]);
    expect(shares(use([], 0, 0))).toEqual([]);
  });
});
