/** The address of the inside of a run at a step. */
export function insideAt(run: string, step: number): string {
  const id = run.slice(run.lastIndexOf("/") + 1);
  return `/inside?${new URLSearchParams({ run: id, at: String(step) }).toString()}`;
}
