export function NewRunPage() {
  return <h1>New</h1>;
}
