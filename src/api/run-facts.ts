import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

import type { Dataset } from '../data/dataset.js'
import { sha256 } from '../io/checksum.js'
import { gitCommit } from '../io/git-commit.js'
import type { Addon } from '../native/addon.js'
import type { RunConfig, RunData } from '../train/run-config.js'

/** Names that go into a data set's checksum: enough to notice an image added or taken away anywhere. */
const namesSampled = 4096

/** What a resumed run recognises its data by. */
export function describeData(given: string | Dataset, dataset: Dataset): RunData {
  const { length } = dataset
  const count = Math.min(length, namesSampled)
  const names = Array.from({ length: count }, (_, at) => {
    const index = Math.floor((at * length) / count)
    return basename(dataset.name?.(index) ?? `#${index}`)
  })
  const known = dataset.fingerprint === undefined ? names : [...names, dataset.fingerprint]
  return { source: typeof given === 'string' ? given : null, images: length, names: sha256(known.join('\n')) }
}

/** What a run was made with. */
export async function describeVersions(addon: Pick<Addon, 'version'>): Promise<Pick<RunConfig, 'versions' | 'machine' | 'commit'>> {
  const manifest = JSON.parse(await readFile(join(__dirname, '..', '..', 'package.json'), 'utf8'))
  const commit = await gitCommit(process.cwd())
  const { libtorch, cpuCapability } = addon.version()
  return {
    versions: { package: String(manifest.version), libtorch, node: process.versions.node },
    machine: { cpu: cpuCapability },
    ...(commit === undefined ? {} : { commit }),
  }
}
