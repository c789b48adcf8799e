// Parses SQL as Trino's, which is Athena's: node parse.mjs TOOLS FILE... The grammar
// is dt-sql-parser's, made from Trino's own.
import { createRequire, register } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { readFileSync } from 'node:fs'

// The package is made for bundlers: its imports leave out ".js" and "/index.js".
register('data:text/javascript,' + encodeURIComponent(`
export async function resolve(specifier, context, next) {
  for (const end of ['', '.js', '/index.js']) {
    try { return await next(specifier + end, context) } catch (e) { if (end === '/index.js') throw e }
  }
}`))
const [tools, ...files] = process.argv.slice(2)
const require = createRequire(join(tools, 'package.json'))
const { TrinoSQL } = await import(pathToFileURL(require.resolve('dt-sql-parser')))
const errors = (sql) => new TrinoSQL().validate(sql)

if (errors('SELECT a FROM b CROSS JOIN UNNEST(c AS d').length === 0) throw new Error('the parser takes anything')
let wrong = 0
for (const file of files) {
  for (const e of errors(readFileSync(file, 'utf8'))) {
    wrong++
    console.error(`${file}:${e.startLine}:${e.startColumn}: ${e.message}`)
  }
}
if (files.length === 0 || wrong > 0) process.exit(1)
console.log(`${files.length} queries are Trino's SQL`)
