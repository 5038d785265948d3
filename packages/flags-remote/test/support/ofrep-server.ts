// A real OFREP server, in a process of its own: flagd's evaluation behind the two endpoints of the protocol.
import { FlagdCore } from '@openfeature/flagd-core'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

const silent = { error() {}, warn() {}, info() {}, debug() {} }
const core = new FlagdCore(undefined, silent)
const variants = { on: true, off: false }
const define = (on: boolean, targeting?: unknown) => ({
  state: 'ENABLED',
  variants,
  defaultVariant: on ? 'on' : 'off',
  targeting,
})
let killed = false
const load = (): void => {
  const flags = {
    use_streaming: define(false, { if: [{ ends_with: [{ var: 'email' }, '@corp.example'] }, 'on', null] }),
    'use_streaming.kill': define(killed),
    'use_streaming.tool.bash': define(false),
    broken: define(false, { if: [true, 'nothing', 'off'] }),
    theme: { state: 'ENABLED', variants: { dark: 'd' }, defaultVariant: 'dark', metadata: { owner: 'web' } },
    absent: { state: 'DISABLED', variants, defaultVariant: 'on' },
  }
  core.setConfigurations(JSON.stringify({ flags }))
}
load()

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const send = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    }
    if (request.url === '/kill') {
      killed = true
      load()
      return send(200, {})
    }
    const [, base, key] = /^(\/ofrep\/v1\/evaluate\/flags)(?:\/(.+))?$/.exec(request.url ?? '') ?? []
    if (base === undefined || request.method !== 'POST') return send(404, {})
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString())
    const given = typeof body === 'object' && body !== null && 'context' in body ? body.context : {}
    const context = Object.fromEntries(Object.entries(given ?? {}))
    const show = (name: string) => {
      const flag = core.getFlag(name)
      if (flag === undefined) return { key: name, errorCode: 'FLAG_NOT_FOUND' }
      const { value, variant, reason, errorCode, flagMetadata } = flag.evaluate(context, silent)
      if (errorCode !== undefined) return { key: name, errorCode, errorDetails: 'details of the upstream' }
      return { key: name, value, variant, reason, metadata: flagMetadata }
    }
    if (key !== undefined) {
      const shown = show(decodeURIComponent(key))
      return send('errorCode' in shown ? (shown.errorCode === 'FLAG_NOT_FOUND' ? 404 : 400) : 200, shown)
    }
    const flags = [...core.getFlags()].filter(([, { state }]) => state === 'ENABLED').map(([name]) => show(name))
    const etag = `"${createHash('sha256').update(JSON.stringify(flags)).digest('hex')}"`
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end()
    return send(200, { flags }, { etag })
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) process.stdout.write(`${address.port}\n`)
})
