// Where a text departs from the one before it, for reading samples of the same prompt against each other.

export interface Departure {
  /** As in the text before. */
  same: string;
  /** From the first place that differs on. */
  other: string;
}

export function departure(text: string, before: string | undefined): Departure {
  if (before === undefined) return { same: "", other: text };
  let at = 0;
  while (at < text.length && at < before.length && text[at] === before[at]) at += 1;
  // Not in the middle of a character that takes two units.
  const code = text.charCodeAt(at - 1);
  if (at > 0 && code >= 0xd800 && code <= 0xdbff) at -= 1;
  return { same: text.slice(0, at), other: text.slice(at) };
}
