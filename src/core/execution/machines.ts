/** The state machines; `state-machines/` has the definition of each. */
export const machines = ["backup", "drill", "export", "restore", "transfer", "verify"] as const;
export type Machine = (typeof machines)[number];
