// An address that is no page.
import { Link } from "react-router";
import { EmptyState } from "@/ui/empty-state";

export function NotFoundPage() {
  return (
    <EmptyState page title="There is no page here" action={<Link to="/runs">Go to the runs</Link>}>
      The address may be from another version of the lab.
    </EmptyState>
  );
}
