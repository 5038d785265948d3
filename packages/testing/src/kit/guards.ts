/** A JSON object as it came over the wire: nothing about its fields is known yet. */
export interface JsonObject {
  readonly [key: string]: unknown
}

/** Whether `value` is an object with fields: neither null nor an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isString(value: unknown): value is string {
  return typeof value === 'string'
}

export function isInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value)
}

/** Whether `value` is an object that can be iterated. A string is not. */
export function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}
