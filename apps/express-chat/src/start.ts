import { envFlags } from '@millrace/flags-env'
import { connectModel, model } from '@millrace/sample-loop'
import type { Express } from 'express'
import { createServer } from 'node:http'
import { createApp } from './app-after.ts'
import { createApp as createAppBefore } from './app-before.ts'

const client = await connectModel()
const secret = process.env['SESSION_SECRET'] ?? crypto.randomUUID()
const flags = envFlags()
const { app, drain } = process.argv[2] === 'before' ? before() : after()

const server = createServer(app).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') console.log(`http://127.0.0.1:${address?.port}`)
})

process.once('SIGTERM', () => {
  void drain().then(() => server.close(() => process.exit()))
})

function before(): { app: Express; drain: () => Promise<unknown> } {
  return { app: createAppBefore({ client, model, secret }), drain: () => Promise.resolve() }
}

function after(): { app: Express; drain: () => Promise<unknown> } {
  const { app: streaming, handler } = createApp({ client, model, secret, flags })
  return { app: streaming, drain: () => handler.drain(10_000) }
}
