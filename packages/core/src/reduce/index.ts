export { answerText, closeHistory } from './history.ts'
export { createHistoryFold, type HistoryFold, type OpenTurn } from './history-fold.ts'
export { applyToBlocks, type BlockEvent, isBlockEvent, reduceBlocks, type ShownBlock } from './shown-blocks.ts'
export { createShownText, type ShownText, type TextChange } from './shown-text.ts'
