// Listens for keys, and holds what they open: the command palette and the list of keys.
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { chooseTheme, currentTheme } from "@/lib/theme";
import { undo } from "@/lib/undo";
import { useShortcut } from "@/lib/use-shortcut";
import { Button } from "@/ui/button";
import { keyName, shortcuts } from "@/lib/shortcuts";
import { KeyList } from "./key-list";
import styles from "./keys.module.css";

// Only who opens it pays for it.
const Palette = lazy(async () => ({ default: (await import("./palette")).Palette }));

export function Keys() {
  const [open, setOpen] = useState(false);
  const keyList = useRef<HTMLDialogElement>(null);
  useShortcut("mod+k", "Find a command, a place or a run", () => setOpen(true));
  useShortcut("?", "List the keys", () => keyList.current?.showModal());
  useShortcut("t", "Light or dark", () =>
    chooseTheme(currentTheme() === "dark" ? "light" : "dark"),
  );
  useShortcut("mod+z", "Take the last change of the view back", () => undo.takeBack());
  useShortcut("mod+shift+z", "Do it again", () => undo.doAgain());
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (shortcuts.press(event)) event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return (
    <>
      <Button
        kind="quiet"
        className={styles["search"]}
        aria-label={`${keyName("mod+k")} search: commands, places and runs`}
        title="Find a command, a place or a run"
        data-testid="open-palette"
        onClick={() => setOpen(true)}
      >
        {keyName("mod+k")} search
      </Button>
      <KeyList dialog={keyList} />
      {open && (
        <Suspense>
          <Palette onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
