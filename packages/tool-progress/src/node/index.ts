export { fromIterable, type FromIterableOptions } from '../from-iterable.ts'
export { fromStream, type FromStreamOptions, type StreamSummary } from '../from-stream.ts'
export { fromSubprocess, type SubprocessOptions, type SubprocessResult } from './from-subprocess.ts'
export { isSubprocessError, SubprocessError, type SubprocessErrorCode } from './subprocess-error.ts'
