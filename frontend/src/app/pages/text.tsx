// What models read: the corpora, and how any text splits into tokens.
import { Corpora } from "@/features/tokens/corpora";
import { TokenPlayground } from "@/features/tokens/token-playground";
import styles from "./text.module.css";

export function TextPage() {
  return (
    <div className={styles["page"]}>
      <h1 className="visually-hidden">Text</h1>
      <Corpora />
      <TokenPlayground />
    </div>
  );
}
