export { agUiEncoder } from './encoder.ts'
export { type AgUiRequest, readRunAgentInput } from './run-agent-input.ts'
export { type AgUiMessage, type AgUiOptions } from './translate.ts'
