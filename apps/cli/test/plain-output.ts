import { plainScreen } from '../src/terminal/plain-screen.ts'
import type { Screen } from '../src/terminal/screen.ts'

/** A plain screen, and what was written to it. */
export function plainOutput(): { readonly screen: Screen; text(): string } {
  let text = ''
  const screen = plainScreen((piece) => {
    text += piece
  })
  return { screen, text: () => text }
}
