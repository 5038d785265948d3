// What a team exports for `millrace-parity request`: an agent of its own client, and functions that make one.
import { createServer } from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { type Agent, createAgent, defineTool } from '@millrace/core'
import { definitions } from './shop.ts'

function agentOn(client: Anthropic, change: Readonly<Record<string, unknown>> = {}): Agent {
  return createAgent({
    client,
    request: { model: 'claude-opus-5-5', max_tokens: 1_000, ...change },
    tools: definitions.map(({ name, description = '', input_schema: jsonSchema }) =>
      defineTool({
        name,
        description,
        inputSchema: { jsonSchema },
        run() {
          throw new Error('no tool runs while requests are compared')
        },
      }),
    ),
  })
}

// A service has more than its agent: what listens would keep the process.
createServer().listen(0, '127.0.0.1')

export default (client: Anthropic): Agent => agentOn(client)

export const wordy = async (client: Anthropic): Promise<Agent> => agentOn(client, { max_tokens: 4_000 })

export const ownClient: Agent = agentOn(new Anthropic())

export const broken = (): Agent => {
  throw new Error('no database')
}

export const words = 'not an agent'
