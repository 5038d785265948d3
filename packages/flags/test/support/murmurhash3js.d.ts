declare module 'murmurhash3js' {
  const murmur: { x86: { hash32(text: string, seed: number): number } }
  export default murmur
}
