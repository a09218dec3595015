export function InsidePage() {
  return <h1>Inside</h1>;
}
