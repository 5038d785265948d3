// Asks every source for many users, in a process of its own; its environment holds the variables. Writes what they answer.
import { type Answers, askAll, openFlagSources } from './flag-sources.ts'
import { exampleFlags, exampleVariables, userCount, userOf } from './flag-example.ts'

const [address = '', ...paths] = process.argv.slice(2)
const env = Object.fromEntries(exampleVariables.map((name) => [name, process.env[name] ?? '']))
const sources = await openFlagSources({ document: exampleFlags, paths, address, env })
const answers: Record<string, Answers[]> = {}
for (const { name, client } of sources.clients) {
  const ofClient: Answers[] = []
  for (let index = 0; index < userCount; index++) ofClient.push(await askAll(client, userOf(index)))
  answers[name] = ofClient
}
await sources.close()
process.stdout.write(JSON.stringify(answers))
