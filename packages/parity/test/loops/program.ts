// Runs one of the loops as a team would: `node program.ts LOOP QUESTION...`, with the client's own environment.
import Anthropic from '@anthropic-ai/sdk'
import { Assistant } from './class-method.ts'
import { createOptionsLoop } from './options-object.ts'
import { createPositionalLoop } from './positional.ts'
import { shopTools } from './shop.ts'

const [loop, ...questions] = process.argv.slice(2)
const client = new Anthropic({ maxRetries: Number(process.env['LOOP_RETRIES'] ?? 0) })
const answers: string[] = []

switch (loop) {
  case 'options-object': {
    const ask = createOptionsLoop(client, shopTools)
    for (const userInput of questions) answers.push(await ask({ userInput, conversationHistory: [] }))
    break
  }
  case 'positional': {
    const ask = createPositionalLoop(client, shopTools)
    for (const content of questions) answers.push(await ask('Ada', [{ role: 'user', content }]))
    break
  }
  case 'class-method': {
    const assistant = new Assistant(client, shopTools)
    for (const question of questions) answers.push(await assistant.ask(question))
    break
  }
  case 'at-once': {
    const ask = createOptionsLoop(client, shopTools)
    answers.push(...(await Promise.all(questions.map((userInput) => ask({ userInput, conversationHistory: [] })))))
    break
  }
  default:
    throw new Error(`no loop "${loop}"`)
}
process.stdout.write(`${answers.join('\n')}\n`)
