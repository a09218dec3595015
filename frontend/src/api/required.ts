// A message field that must be there.

/** The value, or an error that says what the lab's answer lacked. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`The lab's answer held no ${what}.`);
  return value;
}
