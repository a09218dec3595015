export function CheckpointsPage() {
  return <h1>Checkpoints</h1>;
}
