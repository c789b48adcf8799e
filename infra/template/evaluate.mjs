// Evaluates IAM requests: reads an array of simulations (JSON, as iam-simulate takes
// them) from stdin, writes an array of "Allowed", "ExplicitlyDenied",
// "ImplicitlyDenied", or "error: …".
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { readFileSync, writeSync } from 'node:fs'

const require = createRequire(join(process.argv[2], 'package.json'))
const { runSimulation } = await import(pathToFileURL(require.resolve('@cloud-copilot/iam-simulate')))

// iam-simulate drops keys of an encryption context, whose names end in a colon and a
// name of one's own. Tags have such names, too, and mean nothing else here.
const input = readFileSync(0, 'utf8').replaceAll('kms:EncryptionContext:', 'aws:RequestTag/encryption-context-')

const answers = []
for (const simulation of JSON.parse(input)) {
  const r = await runSimulation({ serviceControlPolicies: [], resourceControlPolicies: [], ...simulation }, {})
  answers.push(r.resultType === 'error' ? 'error: ' + JSON.stringify(r.errors) : r.overallResult)
}
const out = Buffer.from(JSON.stringify(answers))
for (let at = 0; at < out.length; ) at += writeSync(1, out, at)
