import { serve } from '@hono/node-server'
import { envFlags } from '@millrace/flags-env'
import { connectModel, model } from '@millrace/sample-loop'
import { randomBytes } from 'node:crypto'
import { createApp } from './app-after.ts'
import { createApp as createAppBefore } from './app-before.ts'

const client = await connectModel()
const secret = process.env['AUTH_SECRET'] ?? randomBytes(32).toString('hex')
const flags = envFlags()
const after = process.argv[2] === 'before' ? undefined : createApp({ client, model, secret, flags })
const { fetch } = after?.app ?? createAppBefore({ client, model, secret })

const port = Number(process.env['PORT'] ?? 3000)
const server = serve({ fetch, port, hostname: '127.0.0.1' }, (info) => console.log(`http://127.0.0.1:${info.port}`))

process.once('SIGTERM', () => {
  const drained = after?.handler.drain(10_000) ?? Promise.resolve()
  void drained.then(() => server.close(() => process.exit()))
})
