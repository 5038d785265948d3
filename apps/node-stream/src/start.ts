import { envFlags } from '@millrace/flags-env'
import { connectModel, model } from '@millrace/sample-loop'
import { createAfter } from './after.ts'
import { createBefore } from './before.ts'

const client = await connectModel()
const server = process.argv[2] === 'before' ? createBefore(client, model) : createAfter(client, model, envFlags())
server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') console.log(`http://127.0.0.1:${address?.port}`)
})
process.once('SIGTERM', () => server.close(() => process.exit()))
