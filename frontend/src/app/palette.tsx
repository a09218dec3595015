// The command palette: every place, every run and whatever the page offers, found by typing. cmdk inside the browser's own
// modal dialog; cmdk's dialog would inject a style, which the content security policy refuses.
import { Command } from "cmdk";
import { useEffect, useRef } from "react";
import { useNavigate } from "react-router";
import { runList } from "@/features/runs/run-list";
import { runId, stateName } from "@/features/runs/state-name";
import { keyName, shortcuts } from "@/lib/shortcuts";
import { useChannel } from "@/live/use-channel";
import { PLACES } from "./places";
import styles from "./palette.module.css";

const PALETTE_KEY = "mod+k";

/** Every word must be in it; where words begin counts more. cmdk's own guess finds letters strewn about. */
function matches(value: string, search: string): number {
  const text = value.toLowerCase();
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.every((word) => text.includes(word))) return 0;
  return words.every((word) => text.includes(` ${word}`)) ? 1 : 0.5;
}

export function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const navigate = useNavigate();
  const { state: runs } = useChannel("runs", runList);
  useEffect(() => dialog.current?.showModal(), []);

  const close = () => dialog.current?.close();
  const choose = (act: () => void) => () => {
    close();
    act();
  };
  const go = (to: string) => choose(() => void navigate(to));
  const offered = new Map(shortcuts.list().map((shortcut) => [shortcut.key, shortcut]));
  offered.delete(PALETTE_KEY);

  return (
    <dialog
      ref={dialog}
      className={styles["dialog"]}
      aria-label="Commands"
      data-testid="palette"
      onClose={onClose}
      onClick={(event) => {
        if (event.target === event.currentTarget) close();
      }}
    >
      <Command label="Commands" loop filter={matches}>
        <Command.Input
          className={styles["input"]}
          placeholder="Go to a run or a place, or do something"
          data-testid="palette-input"
          autoFocus
        />
        <Command.List className={styles["list"]}>
          <Command.Empty className={styles["empty"]}>Nothing of that name.</Command.Empty>
          <Command.Group heading="Here">
            {[...offered.values()].map(({ key, label, run }) => (
              <Command.Item key={key} value={`here ${label}`} onSelect={choose(run)}>
                {label}
                <kbd>{keyName(key)}</kbd>
              </Command.Item>
            ))}
          </Command.Group>
          <Command.Group heading="Places">
            {PLACES.map(({ to, word }) => (
              <Command.Item key={to} value={`place ${word}`} onSelect={go(to)}>
                {word}
              </Command.Item>
            ))}
            <Command.Item value="place new run start" onSelect={go("/runs/new")}>
              New run
            </Command.Item>
          </Command.Group>
          <Command.Group heading="Runs">
            {(runs ?? []).map((run) => {
              const id = runId(run.name);
              return (
                <Command.Item
                  key={id}
                  value={`run ${id} ${run.displayName} ${stateName(run.state)}`}
                  onSelect={go(`/runs/${id}`)}
                >
                  {run.displayName || id}
                  <span className={styles["hint"]}>{stateName(run.state)}</span>
                </Command.Item>
              );
            })}
          </Command.Group>
        </Command.List>
      </Command>
    </dialog>
  );
}
