/** A call as the model made it. */
export interface ModelCall {
  /** Ours: those of some services are empty, or come again with each answer. */
  id: string
  name: string
  /** What it wrote, which should be a JSON object. */
  json: string
  /** What the service wants to see again with it. */
  extra: Record<string, unknown>
}
