import { type FSWatcher, statSync, watch } from 'node:fs'
import type { WatchedNames } from './find-folders.ts'

/** Watches a changing set of folders. */
export interface FolderWatch {
  /** Watches these folders from now on, and no others. Never throws: a folder that cannot be watched is left to the poll. */
  update(names: WatchedNames): void
  close(): void
}

interface Watched {
  readonly watcher: FSWatcher
  names: ReadonlySet<string>
  /** Identifies the folder itself, because a new folder with the same name needs another watcher. */
  readonly identity: string
}

/** Calls `onEvent` when something happens to a watched name. Does not keep the process alive. */
export function watchFolders(onEvent: () => void): FolderWatch {
  const watched = new Map<string, Watched>()
  const drop = (folder: string): void => {
    watched.get(folder)?.watcher.close()
    watched.delete(folder)
  }
  const add = (folder: string, names: ReadonlySet<string>, identity: string): void => {
    const watcher = watch(folder, { persistent: false }, (_, name) => {
      const entry = watched.get(folder)
      if (entry?.watcher === watcher && (name === null || entry.names.has(name))) onEvent()
    })
    watcher.on('error', () => {
      if (watched.get(folder)?.watcher === watcher) drop(folder)
    })
    watched.set(folder, { watcher, names, identity })
  }
  return {
    update(names) {
      for (const folder of watched.keys()) if (!names.has(folder)) drop(folder)
      for (const [folder, wanted] of names) {
        try {
          const { dev, ino } = statSync(folder)
          const identity = `${dev}:${ino}`
          const known = watched.get(folder)
          if (known?.identity === identity) known.names = wanted
          else {
            drop(folder)
            add(folder, wanted, identity)
          }
        } catch {
          drop(folder)
        }
      }
    },
    close() {
      for (const folder of watched.keys()) drop(folder)
    },
  }
}
