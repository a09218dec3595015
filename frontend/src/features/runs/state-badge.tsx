// The state of a run as a word, a shape and a colour.
import { RunState } from "@/gen/lab/v1/run_pb";
import { Badge, type BadgeShape, type BadgeTone } from "@/ui/badge";
import { stateName } from "./state-name";

const LOOKS: Record<RunState, [BadgeTone, BadgeShape]> = {
  [RunState.UNSPECIFIED]: ["neutral", "ring"],
  [RunState.PENDING]: ["neutral", "ring"],
  [RunState.STARTING]: ["running", "ring"],
  [RunState.RUNNING]: ["running", "play"],
  [RunState.PAUSING]: ["paused", "ring"],
  [RunState.PAUSED]: ["paused", "bars"],
  [RunState.STOPPING]: ["neutral", "ring"],
  [RunState.STOPPED]: ["neutral", "square"],
  [RunState.SUCCEEDED]: ["done", "check"],
  [RunState.FAILED]: ["failed", "cross"],
  [RunState.INTERRUPTED]: ["failed", "bolt"],
};

export function StateBadge({ state }: { state: RunState }) {
  const [tone, shape] = LOOKS[state];
  return (
    <Badge tone={tone} shape={shape} data-testid="run-state" data-state={RunState[state]}>
      {stateName(state)}
    </Badge>
  );
}
