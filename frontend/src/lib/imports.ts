/** Where weights from elsewhere are kept; no run is called so. */
export const IMPORTS = "imports";
