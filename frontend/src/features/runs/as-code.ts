// The command that makes the same run again.
import type { Run } from "@/gen/lab/v1/run_pb";
import type { Preset } from "@/gen/lab/v1/trainer_service_pb";
import { changedSettings, flatSpec } from "./flat-spec";

/** Says only what differs from the preset; everything, when the preset is no longer there. */
export function startCommand(run: Run, presets: readonly Preset[]): string {
  const preset = presets.find(({ name }) => name === run.preset) ?? presets[0];
  const changed = changedSettings(flatSpec(run.spec), flatSpec(preset?.spec));
  return [
    `lab runs start --config ${quoted(preset?.name ?? run.preset)}`,
    ...changed.map(([path, value]) => `--set ${quoted(`${path}=${value}`)}`),
  ].join(" \\\n  ");
}

/** For a POSIX shell. */
function quoted(text: string): string {
  if (/^[\w.,:/=+-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
