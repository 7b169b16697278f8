import manifest from "../package.json" with { type: "json" };

// Compiled in by `make build`; absent when the source runs directly.
declare const VECTRA_VERSION: string;
declare const VECTRA_COMMIT: string;

export const VERSION = typeof VECTRA_VERSION === "string" ? VECTRA_VERSION : manifest.version;
export const COMMIT = typeof VECTRA_COMMIT === "string" ? VECTRA_COMMIT : "source";
