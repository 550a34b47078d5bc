/* Permissions: what an agent asks for, and what was decided. */

/** One of the answers that a provider offers to whoever decides. */
export interface PermissionOption {
  optionId: string
  /** For people. */
  name: string
  kind?: 'allow_once' | 'allow_always' | 'reject_once' | 'reject_always'
}

/** What a provider asks leave for. */
export interface PermissionRequest {
  /** The tool call that waits for it. */
  toolId?: string
  toolName: string
  /** What the tool would get. */
  input: unknown
  /** The answers that there are. Default: yes and no. */
  options?: PermissionOption[]
}

/** What was decided. */
export interface PermissionDecision {
  allow: boolean
  /** The option that was chosen, if the request has any. */
  optionId?: string
  /** What the tool is to get in place of what was asked; only with `allow`. */
  updatedInput?: unknown
  /** Words for the agent. */
  message?: string
}
