// Has vitest load this library itself, for reach.vitest.test.mjs.
export default { test: { server: { deps: { inline: ['multicast-dns'] } } } }
