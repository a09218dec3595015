// Keys of the dashboard. Whoever is on screen offers its keys; the newest offer of a key wins. A single key does nothing
// while someone types, and all of them can be switched off.
export interface Shortcut {
  /**
   * As KeyboardEvent.key says it, lower case for letters; "mod+k" is Ctrl-K or ⌘K. "shift+," and "shift+." are told by
   * their place on the keyboard, because what Shift makes of them differs from country to country.
   */
  key: string;
  /** What it does, for the list and the command palette. */
  label: string;
  run: () => void;
}

export interface Key {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey?: boolean;
  code?: string;
  defaultPrevented: boolean;
  target: EventTarget | null;
}

export class Shortcuts {
  private offered: readonly Shortcut[] = [];
  private readonly listeners = new Set<() => void>();

  constructor(private readonly memory: { get(): boolean; set(on: boolean): void }) {}

  readonly list = (): readonly Shortcut[] => this.offered;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Whether single keys act. */
  readonly on = (): boolean => this.memory.get();

  turn(on: boolean): void {
    this.memory.set(on);
    this.changed();
  }

  offer(shortcut: Shortcut): () => void {
    this.offered = [...this.offered, shortcut];
    this.changed();
    return () => {
      this.offered = this.offered.filter((one) => one !== shortcut);
      this.changed();
    };
  }

  /** Does what the key stands for; says whether it stood for anything. */
  press(event: Key): boolean {
    if (event.defaultPrevented || event.altKey) return false;
    const mod = event.ctrlKey || event.metaKey;
    if (!mod && !this.on()) return false;
    // Ctrl-Z in a text belongs to the text.
    if ((!mod || event.key.toLowerCase() === "z") && isTyping(event.target)) return false;
    if (event.key === " " && isPressable(event.target)) return false;
    const shifted = event.shiftKey === true && SHIFTED[event.code ?? ""];
    const key = shifted || (event.key.length === 1 ? event.key.toLowerCase() : event.key);
    const again = mod && event.shiftKey === true && key === "z"; // else Shift makes no other key of it
    const wanted = mod ? `mod+${again ? "shift+" : ""}${key}` : key;
    const shortcut = this.offered.findLast((one) => one.key === wanted);
    shortcut?.run();
    return shortcut !== undefined;
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

const SHIFTED: Record<string, string> = { Comma: "shift+,", Period: "shift+." };

// Space presses what has the focus.
function isPressable(target: EventTarget | null): boolean {
  if (typeof HTMLElement === "undefined" || !(target instanceof HTMLElement)) return false;
  return target.closest("button, a, summary, input, [role=menuitem], [role=switch]") !== null;
}

const NOT_TYPED_INTO = new Set([
  "button",
  "checkbox",
  "color",
  "radio",
  "range",
  "reset",
  "submit",
]);

function isTyping(target: EventTarget | null): boolean {
  if (typeof HTMLElement === "undefined" || !(target instanceof HTMLElement)) return false;
  // A select jumps to the option that begins with the letter; a dialog and a menu have their own keys.
  if (target.closest("textarea, select, dialog, [role=menu]")) return true;
  if (target instanceof HTMLInputElement) return !NOT_TYPED_INTO.has(target.type);
  return target.isContentEditable;
}

const STORAGE_KEY = "lab.shortcuts";

export const shortcuts = new Shortcuts({
  get: () => {
    try {
      return localStorage.getItem(STORAGE_KEY) !== "off";
    } catch {
      return true; // storage may be forbidden; keys are then on
    }
  },
  set: (on) => {
    try {
      localStorage.setItem(STORAGE_KEY, on ? "on" : "off");
    } catch {
      // not remembered
    }
  },
});

const SHOWN: Record<string, string> = { " ": "Space", Escape: "Esc" };

/** "⌘K" on a Mac, "Ctrl K" elsewhere; letters as they stand on the keyboard. */
export function keyName(key: string): string {
  const mac = typeof navigator !== "undefined" && navigator.userAgent.includes("Mac");
  const plain = key.replace("mod+", "").replace("shift+", "");
  const name = (key.startsWith("shift+") ? "Shift " : "") + (SHOWN[plain] ?? plain.toUpperCase());
  const full = key.includes("mod+shift+") ? `${mac ? "⇧" : "Shift "}${name}` : name;
  return key.startsWith("mod+") ? `${mac ? "⌘" : "Ctrl "}${full}` : full;
}
