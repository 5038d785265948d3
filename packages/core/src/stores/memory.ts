export { memoryRunStore, type MemoryRunStoreOptions } from './memory-run-store.ts'
export { memorySessionStore, type MemorySessionStoreOptions } from './memory-session-store.ts'
export { memoryStateStore, type MemoryStateStoreOptions } from './memory-state-store.ts'
