// Keeps of the declarations in dist/ those that an entry point of package.json leads to. The others are of
// modules that nobody can import, and took a quarter of the space.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const needed = new Set()

function need(file) {
  if (needed.has(file)) return
  needed.add(file)
  // In all forms: `from './a.js'`, `import('./a.js')`, `import './a.js'`.
  const modules = readFileSync(file, 'utf8').matchAll(
    /(?:from |import\(|import )['"](\.[^'"]+)\.js['"]/g,
  )
  for (const [, module] of modules) need(join(dirname(file), `${module}.d.ts`))
}

for (const { types } of Object.values(exports)) if (types !== undefined) need(join(root, types))

const dist = join(root, 'dist')
for (const name of readdirSync(dist, { recursive: true })) {
  const file = join(dist, name)
  if (file.endsWith('.d.ts') && !needed.has(file)) rmSync(file)
}
