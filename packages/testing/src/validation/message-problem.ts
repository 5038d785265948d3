/**
 * Why the API would refuse a request. `message` is what it would say, and `path` the place, such as
 * `messages.2.content.0`.
 */
export interface MessageProblem {
  readonly path: string
  readonly message: string
}

export function problem(path: string, message: string): MessageProblem {
  return { path, message: `${path}: ${message}` }
}
