/** What makes a thread fail: nothing that the hub itself would say to it. */
export const CRASH = "crash on demand";
