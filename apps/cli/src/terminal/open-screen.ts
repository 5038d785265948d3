import { liveScreen } from './live-screen.ts'
import { plainScreen } from './plain-screen.ts'
import type { Output, Screen } from './screen.ts'

/**
 * Opens a live screen on a terminal. Opens a plain one elsewhere, where `NO_COLOR` is set, and on a terminal that is dumb
 * or has no size.
 */
export function openScreen(output: Output, env: Readonly<Record<string, string | undefined>>): Screen {
  const hasSize = (output.columns ?? 0) > 0
  const isPlain = output.isTTY !== true || !hasSize || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
  return isPlain ? plainScreen((text) => void output.write(text)) : liveScreen(output)
}
