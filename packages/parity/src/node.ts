export { cassetteFolder, type CassetteFile, findCassettes, readCassetteFile } from './node/cassette-folder.ts'
export { loadAgent } from './node/load-agent.ts'
export { type RecordingProxy, type RecordingProxyOptions, startRecordingProxy } from './node/recording-proxy.ts'
export { replayServer } from './node/replay-server.ts'
