// Is the page still on its way to the step of its playhead, or to another text? What is fetched ahead, for steps nobody looks at yet, does not
// count: else fetching ahead would look like moving, which gives up what is fetched ahead.
import { useIsFetching } from "@tanstack/react-query";

const MOVING = new Set<unknown>([
  "source-model",
  "probe",
  "tokens",
  "attention-overview",
  "attention-map",
  "analysis",
]);

export function useMoving(): boolean {
  const count = useIsFetching({
    predicate: (query) => MOVING.has(query.queryKey[0]) && query.isActive(),
  });
  return count > 0;
}
