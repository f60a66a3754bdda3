import { report } from '../../src/cli/exit.js'
import { program } from '../../src/cli/program.js'

/** What the command line would print and end with; nothing is spawned. */
async function run(args: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    jest.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text)
      return true
    })
  }
  try {
    const status = await program()
      .parseAsync(args, { from: 'user' })
      .then(() => 0, report)
    return { status, ...written }
  } finally {
    jest.restoreAllMocks()
  }
}

test.each([
  [['--help'], /Commands:\n {2}pretrain(.*\n)*.* doctor/],
  [['eval', 'knn', '--help'], /--temperature <x>/],
  [['--version'], /^\d+\.\d+\.\d+\n$/],
] as const)('%j is answered', async (args, expected) => {
  const { status, stdout, stderr } = await run(args)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(expected)
})

test('help tells groups, defaults and units within 80 columns', async () => {
  const { stdout } = await run(['pretrain', '--help'])
  expect(stdout).toMatch(
    /^Options:\n {2}--out(.*\n)*Run:\n(.*\n)*Optimizer:\n(.*\n)*Data:\n(.*\n)*Encoder:\n(.*\n)*Masks:\n(.*\n)*Context Autoencoder:\n(.*\n)*Examples:\n/m,
  )
  expect(stdout.replace(/\s+/g, ' ')).toContain('all devices together. (default 64 images)')
  const [beforeExamples = ''] = stdout.split('\nExamples:')
  expect(beforeExamples.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(stdout).not.toContain('`')
})

describe('a mistake ends with its exit status, what is wrong, and what to try', () => {
  test.each([
    [[], 2, /Usage: cae-torch/, undefined],
    [['pretrian'], 2, /unknown command 'pretrian'/, 'pretrain'],
    [['pretrain', '--bacth-size', '3'], 2, /unknown option '--bacth-size'/, '--batch-size'],
    [['pretrain', 'x', '--out', 'y', '--batch-size', 'many'], 2, /--batch-size is 'many', expected an integer/, '64, the default'],
    [['pretrain', 'x', '--out', 'y', '--mask-shape', 'blok'], 2, /--mask-shape is 'blok', expected one of/, "'block'"],
    [['pretrain', 'x', '--out', 'y', '--model', 'cae-smal'], 2, /model preset 'cae-smal' is unknown/, "'cae-small'"],
    [['pretrain', 'x', '--out', 'y', '--method', 'mae'], 2, /--method 'mae' is unknown, there are 'cae'/, "'cae'"],
    [['pretrain', 'x', '--out', 'y', '--image-size', '100'], 2, /model.imageSize 100x100 is not a multiple/, '96 or 112 instead of 100'],
    [['pretrain', 'x', '--out', 'y', '--epochs', '1', '--steps', '2'], 2, /epochs and steps are both given/, 'give one of them'],
    [['pretrain', 'x'], 2, /--out is missing/, '--out runs/first'],
    [['pretrain', '--out', 'y'], 2, /no images to train on/, 'cae-torch pretrain DATA --out DIR'],
    [['pretrain', 'x', '--out', 'y', '--config', 'no.yaml'], 2, /configuration file cannot be read/, 'the path of a YAML or JSON file'],
    [['eval', 'knn', 'run'], 2, /required option '--data <images>' not specified/, 'the same with --help'],
    [['inspect'], 2, /missing required argument 'path'/, 'the same with --help'],
    [['inspect', 'no/such/run'], 6, /nothing at this path/, 'a folder of a run, of a checkpoint or of Hugging Face, or a file of weights'],
  ] as const)('%j: %i', async (args, wanted, what, todo) => {
    const { status, stdout, stderr } = await run(args)
    expect({ status, stdout }).toEqual({ status: wanted, stdout: '' })
    expect(stderr).toMatch(what)
    if (todo !== undefined) expect(stderr).toMatch(/^error: [^\n]+\n( {2}at: [^\n]+\n)?( {2}try: [^\n]+\n)$/)
    if (todo !== undefined) expect(stderr).toContain(`  try: ${todo}\n`)
  })
})
