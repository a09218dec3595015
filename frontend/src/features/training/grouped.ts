// Compared runs in groups: the mean of each group and the band between its lowest and highest run. Of long runs, whose
// points here are extremes, the server's means of all recorded steps are taken.
import { lowerBound, type Columns } from "@/charts/line/columns";
import type { Line } from "@/charts/line/draw";
import type { LineSource } from "@/charts/line/painter";
import { smoothOf, sourceOf, wholeOf, type ComparedCurve, type ComparedView } from "./compared";
import { difference, valueAt } from "./difference";

export interface CurveGroup {
  label: string;
  curves: readonly ComparedCurve[];
}

export interface Spread {
  mean: Columns;
  low: Columns;
  high: Columns;
}

/** Curves with an equal key, in the order in which their first ones come. */
export function groupCurves(
  curves: readonly ComparedCurve[],
  keyOf: (curve: ComparedCurve) => { key: string; label: string },
): readonly CurveGroup[] {
  const groups = new Map<string, { label: string; curves: ComparedCurve[] }>();
  for (const curve of curves) {
    const { key, label } = keyOf(curve);
    const group = groups.get(key);
    if (group) group.curves.push(curve);
    else groups.set(key, { label, curves: [curve] });
  }
  return [...groups.values()];
}

/**
 * At every x that any of them has a point at, as far as all reach: elsewhere the mean would jump because one is missing.
 * Between its points a curve is read on a straight line; where one is no number there is no mean either.
 */
export function spreadOf(members: readonly Columns[]): Spread {
  const from = Math.max(...members.map(({ x, length }) => (length > 0 ? (x[0] ?? 0) : Infinity)));
  const to = Math.min(
    ...members.map(({ x, length }) => (length > 0 ? (x[length - 1] ?? 0) : -Infinity)),
  );
  const places = mergedPlaces(members, from, to);
  const spread = { mean: blank(places), low: blank(places), high: blank(places) };
  for (let i = 0; i < places.length; i += 1) {
    let [sum, low, high] = [0, Infinity, -Infinity];
    for (const member of members) {
      const y = valueAt(member, places[i] ?? NaN);
      sum += y;
      low = Math.min(low, y);
      high = Math.max(high, y);
    }
    spread.mean.y[i] = sum / members.length;
    spread.low.y[i] = low;
    spread.high.y[i] = high;
  }
  return spread;
}

export function groupedSource(groups: readonly CurveGroup[], view: ComparedView): LineSource {
  const spreads = memo(view);
  return sourceOf(
    groups.flatMap(({ curves }) => curves),
    () => groups.flatMap((group) => linesOf(group, spreads(group), view)),
  );
}

/** Every other group's mean minus that of the group which holds the baseline. */
export function groupedDifference(
  groups: readonly CurveGroup[],
  baseline: CurveGroup,
  view: ComparedView,
): LineSource {
  const spreads = memo(view);
  return sourceOf(
    groups.flatMap(({ curves }) => curves),
    () => {
      const base = spreads(baseline).mean;
      return groups
        .filter((group) => group !== baseline)
        .map((group) => ({
          ...lookOf(group, view),
          mark: "bold",
          columns: difference(spreads(group).mean, base),
        }));
    },
  );
}

function linesOf(group: CurveGroup, { mean, low, high }: Spread, view: ComparedView): Line[] {
  const look = lookOf(group, view);
  const bold: Line = { ...look, mark: "bold", columns: mean };
  if (group.curves.length < 2) return [bold];
  const edge = { ...look, mark: "faint", untold: true, dash: [] } as const;
  return [{ ...edge, columns: low, upTo: high }, { ...edge, columns: high }, bold];
}

function lookOf({ label, curves }: CurveGroup, { lit }: ComparedView) {
  const [first] = curves;
  return {
    name: curves.length > 1 ? `${label} (mean of ${curves.length})` : label,
    color: first?.color ?? ("--run-0" as const),
    dash: first?.dash ?? [],
    pale: lit !== null && !curves.some(({ name }) => name === lit),
  };
}

/** The spread of a group, computed once per change of one of its curves. */
function memo(view: ComparedView): (group: CurveGroup) => Spread {
  const known = new Map<CurveGroup, { of: readonly Columns[]; versions: string; spread: Spread }>();
  return (group) => {
    const of = group.curves.map((curve) => smoothOf(curve, view));
    const versions = group.curves.map((curve) => wholeOf(curve, view).version).join(" ");
    const before = known.get(group);
    if (before?.versions === versions && before.of.every((one, i) => one === of[i])) {
      return before.spread;
    }
    const spread = spreadOf(of);
    known.set(group, { of, versions, spread });
    return spread;
  };
}

function mergedPlaces(members: readonly Columns[], from: number, to: number): Float64Array {
  const places = new Set<number>();
  for (const member of members) {
    for (let i = lowerBound(member, from); i < member.length; i += 1) {
      const x = member.x[i] ?? Infinity;
      if (x > to) break;
      places.add(x);
    }
  }
  return Float64Array.from(places).sort();
}

function blank(x: Float64Array): Columns {
  return { x, y: new Float64Array(x.length), length: x.length };
}
