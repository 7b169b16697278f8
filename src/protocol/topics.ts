/** The native pub/sub topic of all raw-framing clients: one publish reaches every dashboard. */
export const RAW_CLIENTS = "raw";
