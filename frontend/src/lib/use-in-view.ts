// Whether an element is in sight, or nearly: what nobody looks at need not be computed.
import { useEffect, useState, type RefObject } from "react";

/** A little before it is scrolled to. */
const MARGIN = "300px";

export function useInView(element: RefObject<Element | null>): boolean {
  const [inView, setInView] = useState(false);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new IntersectionObserver(
      (entries) => setInView(entries.at(-1)?.isIntersecting ?? false),
      { rootMargin: MARGIN },
    );
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return inView;
}
