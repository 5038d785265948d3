/** The longest name that the Messages API accepts. */
const maxName = 128

function allowed(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, maxName)
}

/**
 * Assigns each tool the name that the model uses: the tool's own if no other server has it, else `server_name`, in
 * characters that the API accepts. Names that are still equal get a number. The result depends only on the order of
 * servers and tools.
 */
export function assignNames(
  servers: readonly { readonly server: string; readonly tools: readonly string[] }[],
): Map<string, Map<string, string>> {
  const counts = new Map<string, number>()
  for (const { tools } of servers) {
    for (const name of new Set(tools.map(allowed))) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const taken = new Set<string>()
  const unique = (wanted: string): string => {
    let name = wanted
    for (let number = 2; taken.has(name); number += 1) name = `${wanted.slice(0, maxName - 8)}_${number}`
    taken.add(name)
    return name
  }
  const names = new Map<string, Map<string, string>>()
  for (const { server, tools } of servers) {
    const own = new Map<string, string>()
    for (const tool of tools) {
      const plain = allowed(tool)
      own.set(tool, unique((counts.get(plain) ?? 0) > 1 ? allowed(`${server}_${tool}`) : plain))
    }
    names.set(server, own)
  }
  return names
}
