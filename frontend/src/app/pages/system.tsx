// How the lab itself is doing.
import { ProcessGraph } from "@/features/system/process-graph";

export function SystemPage() {
  return (
    <>
      <h1 className="visually-hidden">System</h1>
      <ProcessGraph />
    </>
  );
}
