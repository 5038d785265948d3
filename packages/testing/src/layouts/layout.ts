import type { Conversation } from '../script/conversation.ts'
import { joinText } from '../script/continuation.ts'
import type { ContentBlock, Turn } from '../script/turn.ts'

/** The model that each job asks for. A name of another length would move every byte of the answers. */
export const jobModel = 'claude-opus-5-5'

/** A client tool of a layout. The grader counts how often it runs. */
export interface LayoutTool {
  readonly name: string
  readonly description: string
  readonly inputSchema: { readonly [field: string]: unknown }
  readonly readOnly: boolean
  /** What it returns. */
  readonly result: string
}

/** One step of a job: what the model says in it, in one wording or several. */
export interface LayoutStep {
  /** Two steps with one name are the same step of the job. */
  readonly step: string
  /** Different wordings. A repeated request gets the next one. */
  readonly turns: readonly Turn[]
  /** Whether this step ends the job. */
  readonly isFinal: boolean
}

/** A job whose answers have a shape that is worth breaking at every place. */
export interface Layout {
  readonly id: string
  readonly description: string
  readonly question: string
  readonly tools: readonly LayoutTool[]
  /** Returns the next step of the job, from the conversation so far. */
  next(conversation: Conversation): LayoutStep
}

/** What the scripted model said in one answer of a run. */
export interface Production {
  readonly step: string
  readonly isFinal: boolean
  /** The texts of its text blocks: of the whole turn, even if only the rest of it was asked for. */
  readonly texts: readonly string[]
  /** How many of them came before the first tool call. */
  readonly leading: number
}

/** Returns the script of a layout for one run, and a list that the script adds what it says to. */
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
