import { createLabelLimit, other } from './label-limit.ts'

/** How many values a label may have. Later values become `other`. */
export interface LabelLimits {
  /** Default: 50. */
  readonly models?: number
  /** Default: 200. */
  readonly tools?: number
  /** For reasons and for error types, each. Default: 50. */
  readonly reasons?: number
}

/** Turns names that come from outside into labels. */
export interface Labeller {
  readonly model: (name: string) => string
  readonly tool: (name: string) => string
  readonly reason: (name: string) => string
  /** The label of a tool that does not exist. */
  readonly unknownTool: string
}

export function createLabeller({ models = 50, tools = 200, reasons = 50 }: LabelLimits): Labeller {
  return {
    model: createLabelLimit(models),
    tool: createLabelLimit(tools),
    reason: createLabelLimit(reasons),
    unknownTool: other,
  }
}
