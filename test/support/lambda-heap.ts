/**
 * How Lambda's runtime starts Node in a function of so much memory: nine tenths of it for old objects, a twentieth for each half of the
 * young ones. A heap with more room is collected later, and what it then takes says little of what a step needs.
 */
export function heapOfLambda(memoryMiB: number): string[] {
  return [
    `--max-old-space-size=${Math.floor(memoryMiB * 0.9)}`,
    `--max-semi-space-size=${Math.floor(memoryMiB * 0.05)}`,
  ];
}
