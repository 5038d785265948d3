// A flag server, in a process of its own: serves the sets that are put there, as files and evaluated behind OFREP.
import type { FlagContext } from '@millrace/core'
import { compileFlags, type FlagResolution, type FlagSet, readFlagDocument } from '@millrace/flags'
import { createServer } from 'node:http'

const sets = new Map<string, { readonly text: string; readonly set: FlagSet }>()

const reasons = new Set(['STATIC', 'TARGETING_MATCH', 'SPLIT', 'DISABLED'])

function show(key: string, resolution: FlagResolution): object {
  switch (resolution.status) {
    case 'resolved': {
      const { value, variant, reason } = resolution
      return { key, value, variant, reason: reasons.has(reason) ? reason : 'UNKNOWN' }
    }
    case 'default':
      return { key, reason: resolution.reason === 'DISABLED' ? 'DISABLED' : 'UNKNOWN' }
    case 'error':
      return { key, errorCode: resolution.errorCode }
  }
}

function readContext(text: string): FlagContext {
  const body: unknown = JSON.parse(text)
  const context = typeof body === 'object' && body !== null && 'context' in body ? body.context : undefined
  return typeof context === 'object' && context !== null ? { ...context } : {}
}

/** Gives the body of an answer; undefined where there is nothing. */
function answer(method: string | undefined, url: string, text: string): string | undefined {
  const [, name = '', path = ''] = /^\/([^/]+)(\/.*)?$/.exec(url) ?? []
  if (method === 'PUT') {
    const read = readFlagDocument(JSON.parse(text))
    if (read.status === 'refused') return undefined
    sets.set(name, { text, set: compileFlags(read.document) })
    return '{}'
  }
  const found = sets.get(name)
  if (path === '/flags.json') return found?.text
  if (method !== 'POST' || path !== '/ofrep/v1/evaluate/flags' || found === undefined) return undefined
  const context = readContext(text)
  const { set } = found
  return JSON.stringify({ flags: Object.keys(set.document.flags).map((key) => show(key, set.resolve(key, context))) })
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = answer(request.method, request.url ?? '', Buffer.concat(chunks).toString())
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(body)
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) process.stdout.write(`${address.port}\n`)
})
