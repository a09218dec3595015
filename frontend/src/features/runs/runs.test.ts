import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { EventSchema } from "@/gen/lab/v1/event_pb";
import { PublicationSchema, SnapshotSchema } from "@/gen/lab/v1/live_pb";
import { RunSchema, RunState } from "@/gen/lab/v1/run_pb";
import { QueuedRunSchema } from "@/gen/lab/v1/trainer_service_pb";
import { places, placeText } from "./queue";
import { runDetail } from "./run-detail";
import { runList } from "./run-list";
import { filterRuns, sortRuns } from "./sort-runs";

function run(id: string, seconds: number, loss?: number, state = RunState.RUNNING) {
  return create(RunSchema, {
    name: `runs/${id}`,
    preset: "nano",
    state,
    createTime: { seconds: BigInt(seconds) },
    spec: { data: { corpus: "verdict" } },
    stats: { step: seconds, totalSteps: 100, ...(loss !== undefined && { loss }) },
  });
}

function publication(value: Parameters<typeof create<typeof EventSchema>>[1]) {
  return create(PublicationSchema, {
    payload: { case: "event", value: create(EventSchema, value) },
  });
}

const snapshot = create(SnapshotSchema, {
  state: { case: "runs", value: { runs: [run("b", 2), run("a", 1)] } },
});

describe("the list of runs", () => {
  it("takes changes, new runs at the top, and deletions", () => {
    let runs = runList.snapshot(runList.initial(), snapshot);
    const put = (value: Parameters<typeof publication>[0]) => {
      runs = runList.publication(runs, publication(value));
    };
    put({
      run: "runs/a",
      fact: { case: "runStateChanged", value: { run: run("a", 1, 3, RunState.PAUSED) } },
    });
    put({ run: "runs/c", fact: { case: "runStateChanged", value: { run: run("c", 3) } } });
    put({ run: "runs/b", fact: { case: "runDeleted", value: {} } });
    expect(runs?.map((one) => [one.name, one.state])).toEqual([
      ["runs/c", RunState.RUNNING],
      ["runs/a", RunState.PAUSED],
    ]);
  });

  it("loses a run to the trash and has it back when it is restored", () => {
    let runs = runList.snapshot(runList.initial(), snapshot);
    const trashed = { ...run("a", 1), deleteTime: timestampFromMs(9_000) };
    for (const [changed, left] of [
      [trashed, ["runs/b"]],
      [run("a", 1), ["runs/b", "runs/a"]],
    ] as const) {
      const fact = { case: "runStateChanged" as const, value: { run: changed } };
      runs = runList.publication(runs, publication({ run: "runs/a", fact }));
      expect(runs?.map(({ name }) => name)).toEqual(left);
    }
  });
});

describe("one run", () => {
  it("folds its evaluations and checkpoints once each, in order", () => {
    const evaluation = (step: number, loss: number) => ({
      fact: { case: "evaluationCompleted" as const, value: { step, loss } },
    });
    let state = runDetail.snapshot(
      runDetail.initial(),
      create(SnapshotSchema, {
        state: { case: "run", value: { run: run("a", 1), events: [evaluation(50, 5)] } },
      }),
    );
    for (const value of [evaluation(100, 4), evaluation(50, 5), evaluation(75, 4.5)]) {
      state = runDetail.publication(state, publication(value));
    }
    expect(state.evaluations.map((one) => one.step)).toEqual([50, 75, 100]);
    const again = { ...run("a", 60), state: RunState.PENDING };
    state = runDetail.publication(
      state,
      publication({ fact: { case: "runStateChanged", value: { run: again } } }),
    );
    expect(state.evaluations.map((one) => one.step)).toEqual([50]);
    state = runDetail.publication(state, publication({ fact: { case: "runDeleted", value: {} } }));
    expect(state.deleted).toBe(true);
  });
});

describe("sorting and filtering", () => {
  const runs = [run("a", 1, 4), run("b", 2), run("c", 3, 2), run("d", 4, NaN)];
  const ids = (list: { name: string }[]) => list.map((one) => one.name.slice(5)).join("");

  it("puts runs without a value last in both directions", () => {
    expect(ids(sortRuns(runs, { key: "loss", descending: false }))).toBe("cabd");
    expect(ids(sortRuns(runs, { key: "loss", descending: true }))).toBe("acbd");
  });

  it("sorts by age with the newest first", () => {
    expect(ids(sortRuns(runs, { key: "age", descending: false }))).toBe("dcba");
  });

  it("finds runs that hold every word", () => {
    expect(ids(filterRuns(runs, "NANO verdict"))).toBe("abcd");
    expect(ids(filterRuns(runs, "nano paused"))).toBe("");
    expect(ids(filterRuns(runs, "  "))).toBe("abcd");
  });
});

describe("the queue", () => {
  it("is in the server's order and says only what was measured", () => {
    const queue = places([
      create(QueuedRunSchema, { run: "runs/a", startsInSecs: 250 }),
      create(QueuedRunSchema, { run: "runs/b", unknownBecause: "a is paused" }),
    ]);
    expect([...queue].map(([name, waiting]) => [name, placeText(waiting)])).toEqual([
      ["runs/a", "next, in 4 m 10 s"],
      ["runs/b", "no. 2 in line, start unknown"],
    ]);
  });
});

describe("tags", () => {
  it("are found by the filter", () => {
    const tagged = create(RunSchema, { name: "runs/a", tags: ["lesson 3"] });
    expect(filterRuns([tagged, run("b", 1)], "lesson 3")).toEqual([tagged]);
  });
});
