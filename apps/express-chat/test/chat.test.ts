import { testChat } from '@millrace/sample-loop/chat-suite'
import { createApp } from '../src/app-after.ts'

testChat((options) => createApp(options).app)
