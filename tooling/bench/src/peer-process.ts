import { createServer } from 'node:http'
import { peers } from './peers/index.ts'

// One peer as a process of its own. It is asked over IPC what it has spent.

const [name = '', upstream = ''] = process.argv.slice(2)
const load = peers[name]
if (load === undefined) throw new Error(`unknown peer "${name}"; expected one of ${Object.keys(peers).join(', ')}`)
const server = createServer((await load())(upstream))
// A connection that the server closes while its client uses it again would fail the bench.
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 })
})
process.on('message', (asked) => {
  if (asked === 'heap') globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { heapUsed, external } = process.memoryUsage()
  process.send?.({ cpu: user + system, heap: heapUsed + external })
})
process.once('disconnect', () => process.exit())
