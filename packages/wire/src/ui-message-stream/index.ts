export { type ChatRequest, readChatRequest } from './chat-request.ts'
export { uiMessageStreamEncoder } from './encoder.ts'
export { type UiMessageStreamOptions } from './translate.ts'
export { type UiMessage, uiMessagesOf, type UiPart } from './ui-messages.ts'
