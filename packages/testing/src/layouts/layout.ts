import type { Conversation } from '../script/conversation.ts'
import { joinText } from '../script/continuation.ts'
import type { ContentBlock, Turn } from '../script/turn.ts'

/** The model that each job asks for. A name of another length would move every byte of the answers. */
export const jobModel = 'claude-opus-5-5'

/** A client tool of a layout; what it does is counted by the grader. */
export interface LayoutTool {
  readonly name: string
  readonly description: string
  readonly inputSchema: { readonly [field: string]: unknown }
  readonly readOnly: boolean
  /** What a run of it answers. */
  readonly result: string
}

/** One step of a job: what the model says in it, in one wording or several. */
export interface LayoutStep {
  /** Two steps of one name are the same step of the job. */
  readonly step: string
  /** Different wordings; a repeated request gets the next. */
  readonly turns: readonly Turn[]
  /** Whether the job is done when this was said. */
  readonly isFinal: boolean
}

/** A job with a shape of answers that is worth breaking at every place. */
export interface Layout {
  readonly id: string
  readonly description: string
  readonly question: string
  readonly tools: readonly LayoutTool[]
  /** The turns of a run without faults, by what is asked in turn. */
  next(conversation: Conversation): LayoutStep
}

/** What the scripted model said in one answer of a run. */
export interface Production {
  readonly step: string
  readonly isFinal: boolean
  /** The texts of its text blocks, of the whole turn even where only the rest of it was asked for. */
  readonly texts: readonly string[]
  /** How many of them came before the first tool call. */
  readonly leading: number
}

/** The script of a layout for one run, which writes down what it says. */
export function playLayout(layout: Layout): {
  script: (conversation: Conversation) => Turn
  productions: readonly Production[]
} {
  const productions: Production[] = []
  return {
    productions,
    script(conversation) {
      const { step, turns, isFinal } = layout.next(conversation)
      const continued = continueOne(turns, conversation)
      const turn = continued?.whole ?? turns[(conversation.attempt - 1) % turns.length] ?? { content: [] }
      productions.push({ step, isFinal, ...readTexts(turn.content) })
      // A fixed count keeps the byte offsets of a turn the same from one run to the next.
      return { ...(continued?.rest ?? turn), usage: { input_tokens: 100, ...turn.usage } }
    },
  }
}

function continueOne(turns: readonly Turn[], conversation: Conversation): { whole: Turn; rest: Turn } | undefined {
  for (const whole of turns) {
    const rest = conversation.continued(whole)
    if (rest !== whole) return { whole, rest }
  }
  return undefined
}

function readTexts(content: readonly ContentBlock[]): { texts: readonly string[]; leading: number } {
  const texts: string[] = []
  let leading: number | undefined
  for (const block of content) {
    if (block.type === 'text') texts.push(joinText([block]))
    if (block.type === 'tool_use') leading ??= texts.length
  }
  return { texts, leading: leading ?? texts.length }
}
