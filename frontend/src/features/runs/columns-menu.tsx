// Which columns the runs table shows.
import { Button } from "@/ui/button";
import { Menu } from "@/ui/menu";
import { TABLE_COLUMNS } from "./table-columns";
import { useTableSettings } from "./table-settings";

export function ColumnsMenu() {
  const { hidden, toggle } = useTableSettings();
  return (
    <Menu
      trigger={<Button data-testid="columns">Columns ▾</Button>}
      items={TABLE_COLUMNS.filter(({ key }) => key !== "run").map(({ key, title, definition }) => ({
        label: title,
        hint: definition,
        checked: !hidden.includes(key),
        onSelect: () => toggle(key),
        "data-testid": `column-${key}`,
      }))}
    />
  );
}
