// A young model likes to write line breaks by the dozen; as so many empty lines they would leave room for nothing else.

/** Empty lines, where there are two and more of them, as so many signs in one line. */
export function withoutHoles(text: string): string {
  return text.replace(/\n{3,}/g, (breaks) => `\n${"↵".repeat(breaks.length - 1)}\n`);
}
