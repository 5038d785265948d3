import { getRequestListener } from '@hono/node-server'
import { testChat } from '@millrace/sample-loop/chat-suite'
import { createApp } from '../src/app-after.ts'

testChat((options) => getRequestListener(createApp(options).app.fetch))
