import { join } from 'node:path'
import { diagnose } from '../../src/setup/doctor.js'
import { formatDiagnosis } from '../../src/setup/doctor-text.js'
import { runSetup } from '../../src/setup/setup.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { libtorchFiles, writeTree } from './fake-libtorch.js'

const temporary = temporaryFolder()

test('the doctor reports a machine on which nothing is there, and names what a variable points at', async () => {
  const env = { PATH: temporary(), XDG_CACHE_HOME: join(temporary(), 'cache'), CAE_LIBTORCH: '/nowhere' }
  const diagnosis = await diagnose({ env })
  expect(diagnosis).toMatchObject({ canTrain: false, tools: { cmake: null, compiler: null, python: null, pip: null }, gpus: [] })
  expect(diagnosis.problems.join()).toMatch(/CAE_LIBTORCH: \/nowhere there is no such folder/)
  expect(JSON.parse(JSON.stringify(diagnosis))).toEqual(diagnosis)
  const text = formatDiagnosis(diagnosis)
  expect(text).toMatch(/cmake +missing/)
  expect(text).toMatch(/training +cannot run here; run: npm run build/)
})

test('the doctor opens the addon of this checkout in a process of its own', async () => {
  const diagnosis = await diagnose({ python: false })
  expect(diagnosis).toMatchObject({
    canTrain: true,
    problems: [],
    todo: null,
    addon: { running: { libtorch: expect.stringMatching(/^2\.1[1-4]\./) } },
  })
  expect(formatDiagnosis(diagnosis)).toMatch(/training +can run here/)
})

test('setup --from and a variable that would win over it exclude each other', async () => {
  const setup = runSetup({ from: 'torch.whl', env: { CAE_LIBTORCH: '/opt/libtorch' } })
  await expect(setup).rejects.toMatchObject({ code: 'ERR_CAE_OPTION', message: expect.stringContaining('CAE_LIBTORCH') })
})

test('setup refuses a variable that names no libtorch', async () => {
  const setup = runSetup({ env: { LIBTORCH: '/nowhere', PATH: '', XDG_CACHE_HOME: temporary() } })
  await expect(setup).rejects.toMatchObject({ code: 'ERR_CAE_NO_LIBTORCH', message: expect.stringContaining('LIBTORCH=/nowhere') })
})

test('setup names the tools that a build lacks', async () => {
  const libtorch = writeTree(join(temporary(), 'torch'), libtorchFiles())
  const setup = runSetup({ env: { CAE_LIBTORCH: libtorch, PATH: join(temporary(), 'none'), XDG_CACHE_HOME: temporary() } })
  await expect(setup).rejects.toMatchObject({ code: 'ERR_CAE_SETUP', message: expect.stringMatching(/cmake .*C\+\+20 compiler/) })
})
