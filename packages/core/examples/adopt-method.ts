// #region method
import Anthropic from '@anthropic-ai/sdk'
import { adaptLoop, createAgent, type Message } from '@millrace/core'

const client = new Anthropic()

/** A class whose loop is a method and which keeps its own history. */
class Assistant {
  history: Message[] = []

  async ask(question: string): Promise<string> {
    this.history.push({ role: 'user', content: question })
    const { content } = await client.messages.create({
      model: 'claude-sonnet-5-5',
      max_tokens: 2048,
      messages: this.history,
    })
    this.history.push({ role: 'assistant', content })
    return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  }
}

Assistant.prototype.ask = adaptLoop({
  self: Assistant,
  legacy: Assistant.prototype.ask,
  agent: createAgent({ client, request: { model: 'claude-sonnet-5-5', max_tokens: 2048 } }),
  toInput(question) {
    return { messages: [...this.history, { role: 'user', content: question }] }
  },
  fromResult({ text, messages }) {
    this.history = [...messages]
    return text
  },
  useStreaming: () => true,
})
// #endregion method
