// How the text of a token is shown to people, and which bytes it stands for.

const MARKS: Record<string, string> = { " ": "·", "\n": "↵", "\t": "⇥", "\r": "␍" };

/** Token text with its white space made visible: "·the", "↵". */
export function visibleToken(text: string): string {
  return text.replace(/[ \n\t\r]/g, (mark) => MARKS[mark] ?? mark);
}

// Bytes that are no whole character arrive as \xNN. GPT-2 never puts a backslash, a letter and digits into one token,
// so a token that holds this pattern never means it literally.
const ESCAPED_BYTE = /\\x([0-9a-fA-F]{2})/g;

/** The bytes a token stands for. */
export function tokenBytes(text: string): number[] {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  let end = 0;
  for (const match of text.matchAll(ESCAPED_BYTE)) {
    bytes.push(...encoder.encode(text.slice(end, match.index)), parseInt(match[1] ?? "0", 16));
    end = match.index + match[0].length;
  }
  bytes.push(...encoder.encode(text.slice(end)));
  return bytes;
}
