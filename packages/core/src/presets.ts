export { type ChatLoopArgs, chatLoopPreset, type ChatLoopPresetOptions } from './adapt/chat-preset.ts'
