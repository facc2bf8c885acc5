// Records the complex codes on CPython 3.14, as Pyodide (WebAssembly) carries it:
//
//     npm install pyodide@314 (in a folder of its own), then
//     node complex.mjs <that folder>/node_modules/pyodide/pyodide.mjs cpython-3.14-complex.json.gz

import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const [pyodide = 'pyodide', file] = process.argv.slice(2)
const { loadPyodide } = await import(pathToFileURL(resolve(pyodide)).href)
const python = await loadPyodide()
python.FS.writeFile('/record.py', await readFile(new URL('record.py', import.meta.url), 'utf8'))
python.runPython(`
import sys
sys.path.insert(0, "/")
import record
record.main(["--complex", "/recorded.json.gz"])
`)
await writeFile(file, python.FS.readFile('/recorded.json.gz'))
