// Packs typed-emitter inside the tarball (bundleDependencies) without its rxjs.
//
// typed-emitter is types only, yet it names rxjs as an optional dependency, which npm would bundle
// and install for every consumer (12 MB). Leaving the files out is not enough: npm writes a
// consumer's lock file from the bundled manifest, so the manifest must not name rxjs either.
//
// prepack runs `bundle.mjs strip`, postpack `bundle.mjs restore`. Where packing broke off between
// the two, the stripped manifest still installs, builds and tests, and the next strip copes with it.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url))
const manifest = path('node_modules/typed-emitter/package.json')
// Inside node_modules, so that `npm ci` takes both away together.
const original = path('node_modules/.typed-emitter.json')

function strip() {
  const text = readFileSync(manifest, 'utf8')
  const { optionalDependencies, devDependencies, ...rest } = JSON.parse(text)
  // Without optionalDependencies this is already a stripped one, and the original is kept beside.
  if (optionalDependencies) writeFileSync(original, text)
  // `files` leaves out typed-emitter/rxjs, an entry point that cannot load without rxjs.
  const files = ['index.d.ts', 'types.js']
  writeFileSync(manifest, `${JSON.stringify({ ...rest, files }, null, 2)}\n`)
  // npm's cache of the installed tree; npm would believe it rather than the new manifest.
  rmSync(path('node_modules/.package-lock.json'), { force: true })
  // tsc never deletes: a module that was renamed would be packed under its old name too.
  rmSync(path('dist'), { recursive: true, force: true })
}

function restore() {
  if (existsSync(original)) renameSync(original, manifest)
}

const actions = { strip, restore }
actions[process.argv[2]]()
