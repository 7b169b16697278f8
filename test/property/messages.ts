/** The types of what is published. */
export const TYPES = ["A", "B", "C"] as const;

/** The type of those messages that every receiver gets: by them it is known that all before them has come. */
export const MARK = "MARK";
