import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One tracked file. */
export interface TrackedFile {
  /** From the root, with forward slashes. */
  path: string
  text: string
}

/** Tells what is wrong with one line, or with the path where `line` is `undefined`. */
interface HygieneRule {
  /** Why it is wrong, and what to do. */
  message: string
  /** What a line must not contain. */
  line?: RegExp
  /** What a path must not contain. */
  path?: RegExp
  /** Files to which the rule does not apply. */
  except?: RegExp
}

/** Every rule about the text of the repository, by name. */
export const hygieneRules: Record<string, HygieneRule> = {
  'registry-host': {
    message:
      'names the host of a package registry: a mirror may stand in for it, so packages are named and hosts are not',
    line: /\b(registry\.[a-z-]+\.(com|org|io)|npmjs\.(com|org)|(deb|security)\.debian\.org|proxy\.golang\.org|pypi\.org)\b/,
  },
  'machine-path': {
    message: 'names a path of the machine that it was written on',
    line: /(?<![\w.$}-])\/(root|work|home)\//,
  },
  'outside-folder': {
    message: 'reaches into a folder beside the repository, which nobody else has',
    line: /\.\.\/shared\b(?!\.)/,
    except: /^\.ci\/run$/,
  },
  'issue-number': {
    message: 'refers to an issue, which a reader may not be able to see: say what it is about',
    line: /\bissues? #?\d+\b/i,
  },
  'vague-file-name': {
    message: 'is named for nothing: a file is named for the one concept that it holds',
    path: /(^|\/)(utils?|helpers?|misc|common)(\.|\/)/,
  },
  'unexplained-suppression': {
    message: 'suppresses a lint rule without a reason: "-- why" ends the comment',
    line: /\b(oxlint|eslint)-disable\b(?!.* -- [^*\s])/,
    except: /\.md$/,
  },
  'ascii-banner': {
    message: 'is a banner: split the file instead',
    line: /^\s*(\/\/|\/?\*|#)\s*[-=*~_#+]{4,}/,
    // In Markdown and in change logs these are headings and tables.
    except: /\.md$/,
  },
}

/** The files that git tracks or would add under `root`, without what is not text. */
export function trackedFiles(root: string): TrackedFile[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    .split('\0')
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    .filter(({ text }) => !text.includes('\0'))
}

/** What is wrong with the files: `path:line: rule: why`. */
export function checkHygiene(files: TrackedFile[]): string[] {
  return files.flatMap((file) => Object.entries(hygieneRules).flatMap(([name, rule]) => checkFile(file, name, rule)))
}

function checkFile({ path, text }: TrackedFile, name: string, rule: HygieneRule): string[] {
  if (rule.except?.test(path) === true) return []
  const named = rule.path?.test(path) === true ? [`${path}: ${name}: ${rule.message}`] : []
  const { line } = rule
  // Most files have no such line: looking at the whole first spares splitting them.
  if (line === undefined || !new RegExp(line, `${line.flags}m`).test(text)) return named
  const lines = text.split('\n').flatMap((content, index) => (line.test(content) ? [index + 1] : []))
  return [...named, ...lines.map((number) => `${path}:${number}: ${name}: ${rule.message}`)]
}
