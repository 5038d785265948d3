import Anthropic from '@anthropic-ai/sdk'
import { demoScript, startClaude } from '@millrace/testing'

/** Connects to the Claude API if there is a key for it, else to a scripted model on this machine. */
export async function connectModel(): Promise<Anthropic> {
  if (process.env['ANTHROPIC_API_KEY']) return new Anthropic()
  const claude = await startClaude({ script: demoScript, pace: { tokensPerSecond: 60 } })
  return new Anthropic({ apiKey: 'none', baseURL: claude.url })
}

export const model: string = process.env['MODEL'] ?? 'claude-sonnet-5-5'
