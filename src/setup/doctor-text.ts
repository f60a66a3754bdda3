import type { Diagnosis } from './doctor.js'
import { glibcFloor } from './platform.js'

const labelWidth = 14

/** The report of `cae-torch doctor`, for people. */
export function formatDiagnosis(d: Diagnosis): string {
  const libc = d.libc.kind === 'glibc' ? `glibc ${d.libc.version} (needs ${glibcFloor})` : d.libc.kind
  const rows: [string, string][] = [
    ['package', `@cae/torch ${d.package}`],
    ['node', `${d.node}, ${d.platform}${d.libc.kind === 'none' ? '' : `, ${libc}`}`],
    ['cpu', `${d.cpu.model}, ${d.cpu.cores} cores, ${d.cpu.level}${d.cpu.bf16 ? ', bfloat16' : ''}`],
    ['gpu', d.gpus.length > 0 ? d.gpus.join('; ') : 'none (no NVIDIA driver)'],
    ['cmake', d.tools.cmake ?? 'missing'],
    ['compiler', d.tools.compiler ?? 'missing'],
    ['python', d.tools.python === null ? 'missing' : `${d.tools.python}, ${d.tools.pip ?? 'without pip'}`],
    ['cache', d.cacheFolder],
  ]
  for (const { place, where, verdict, reason } of d.libtorch) rows.push(['libtorch', `${place}: ${verdict}, ${where}: ${reason}`])
  rows.push(['addon', d.addon.path === null ? 'none' : `${d.addon.path}, built for libtorch ${d.addon.builtFor}`])
  const { running } = d.addon
  if (running !== null) {
    const cuda = running.cuda ? `CUDA with ${running.cudaDevices} devices` : 'CPU only'
    rows.push([
      'opens',
      `libtorch ${running.libtorch}, ${running.cpuCapability}, ${cuda}${running.fastBf16 ? ', bfloat16 in hardware' : ''}`,
    ])
  }
  for (const problem of d.problems) rows.push(['problem', problem])
  rows.push(['training', d.canTrain ? 'can run here' : `cannot run here${d.todo === null ? '' : `; run: ${d.todo}`}`])
  return rows.map(([label, text]) => `${label.padEnd(labelWidth)}${text}`).join('\n')
}
