// The presets as cards: what each is for and how large it is.
import type { Preset } from "@/gen/lab/v1/trainer_service_pb";
import { formatCount, formatParameters } from "@/lib/format";
import { ParameterBar } from "./parameter-breakdown";
import styles from "./preset-cards.module.css";

export function PresetCards({
  presets,
  chosen,
  onChoose,
}: {
  presets: readonly Preset[];
  chosen: string;
  onChoose: (name: string) => void;
}) {
  return (
    <fieldset className={styles["cards"]}>
      <legend className="visually-hidden">Preset</legend>
      {presets.map(({ name, description, parameters, parameterParts, spec }) => (
        <label key={name} className={styles["card"]} data-testid={`preset-${name}`}>
          <input
            type="radio"
            name="preset"
            value={name}
            checked={name === chosen}
            onChange={() => onChoose(name)}
          />
          <span className={styles["title"]}>
            <strong>{name}</strong>
            <span>{formatParameters(parameters)} parameters</span>
          </span>
          <span className={styles["shape"]}>
            {spec?.model?.layers} layers · width {formatCount(spec?.model?.width)} ·{" "}
            {spec?.model?.heads} heads · context {formatCount(spec?.model?.context)}
          </span>
          <ParameterBar parts={parameterParts} />
          <span className={styles["text"]}>{description}</span>
        </label>
      ))}
    </fieldset>
  );
}
