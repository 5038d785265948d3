// Asks every source for many users, in a process of its own; its environment holds the variables. Writes what they answer.
import { type Answers, askAll, openFlagSources } from './flag-sources.ts'
import { exampleEnvironment, exampleFlags, userCount, userOf } from './flag-example.ts'

const [address = '', ...paths] = process.argv.slice(2)
// The process's own, whatever the test has: that they reach it is part of what is tested.
const env = Object.fromEntries(Object.keys(exampleEnvironment).map((name) => [name, process.env[name] ?? '']))
const sources = await openFlagSources({ document: exampleFlags, paths, address, env })
const answers: Record<string, Answers[]> = {}
for (const { name, client } of sources.clients) {
  const ofClient: Answers[] = []
  for (let index = 0; index < userCount; index++) ofClient.push(await askAll(client, userOf(index)))
  answers[name] = ofClient
}
await sources.close()
process.stdout.write(JSON.stringify(answers))
