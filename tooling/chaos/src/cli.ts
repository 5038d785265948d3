import { parseArgs } from 'node:util'
import { chaos } from './chaos.ts'
import { summaryOf } from './summary.ts'
import { storeNames } from './stores.ts'

const { values } = parseArgs({
  options: {
    store: { type: 'string' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '200' },
    'at-once': { type: 'string', default: '20' },
    'harm-every': { type: 'string', default: '2500' },
    seconds: { type: 'string', default: '240' },
  },
})

if (values.store !== undefined && !storeNames.some((name) => name === values.store)) {
  console.error(`unknown store "${values.store}"; expected one of ${storeNames.join(', ')}`)
  process.exitCode = 2
} else {
  for (const store of storeNames.filter((name) => values.store === undefined || name === values.store)) {
    const report = await chaos({
      store,
      seed: Number(values.seed),
      runs: Number(values.runs),
      atOnce: Number(values['at-once']),
      harmEveryMs: Number(values['harm-every']),
      harmForMs: Number(values.seconds) * 1000,
      onProgress: (line) => console.error(line),
    })
    const { text, isSound } = summaryOf(store, report)
    console.log(text)
    if (!isSound) process.exitCode = 1
  }
}
