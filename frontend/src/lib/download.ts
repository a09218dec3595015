// Hands a file to the browser's own downloads.
const KEPT_MS = 60_000; // the browser reads the address after the click returned

export function download(content: Blob, fileName: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
