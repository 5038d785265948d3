/** Anything that has fields: an object, an array, a function. */
export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

export function hasMethod(value: unknown, name: PropertyKey): value is object {
  return isObject(value) && typeof Reflect.get(value, name) === 'function'
}
