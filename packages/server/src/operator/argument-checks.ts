import { hasMethod, refuse } from '@millrace/core/kit'

/**
 * For adapters: checks that they were given a handler.
 *
 * @throws MillraceError `invalid_option`, with the path `handler`
 */
export function checkHandler(value: unknown, method: 'fetch' | 'handle'): void {
  if (hasMethod(value, method)) return
  const hint = hasMethod(value, 'run') ? '; this is an agent: give createHandler({ agent, runs })' : ''
  refuse('handler', `must be what createHandler of @millrace/server gave${hint}`)
}

/**
 * For adapters: checks that they were given a run under way.
 *
 * @throws MillraceError `invalid_option`, with the path `run`
 */
export function checkRun(value: unknown): void {
  const isRun =
    hasMethod(value, 'interrupt') && hasMethod(value, 'batches') && hasMethod(Reflect.get(value, 'result'), 'then')
  if (isRun) return
  const hint = hasMethod(value, 'run') ? '; this is an agent: give agent.run({ messages })' : ''
  refuse('run', `must be a run, as agent.run() gives${hint}`)
}
