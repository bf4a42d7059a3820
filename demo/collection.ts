/** The names of everything the demo makes; what bears one of them is replaced by the next demo. */
export const names = {
  collection: "digits",
  alias: "handwriting",
  index: "pixels_hnsw",
  partitions: { even: "even_digits", odd: "odd_digits" },
  suffix: "_bak",
  restored: "digits_bak",
  backup: "digits",
  /** The second backup and restore, which are only measured. */
  warm: { backup: "digits_warm", suffix: "_warm", restored: "digits_warm" },
} as const;

/** The partition of a label. */
export function partitionOf(label: number): string {
  return label % 2 === 0 ? names.partitions.even : names.partitions.odd;
}
