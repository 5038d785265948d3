export { memoryRunStore, type MemoryRunStoreOptions } from './ports/memory-run-store.ts'
export { memorySessionStore, type MemorySessionStoreOptions } from './ports/memory-session-store.ts'
export { memoryStateStore, type MemoryStateStoreOptions } from './ports/memory-state-store.ts'
