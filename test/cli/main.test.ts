import { join } from 'node:path'
import { runCli } from '../support/run-cli.js'

const withoutNative = { nodeFlags: ['-r', join(__dirname, '../support/no-native.cjs')] }

test('help is there without the addon, libtorch or any other native code', async () => {
  const { status, stdout, stderr } = await runCli(['pretrain', '--help'], withoutNative)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toContain('--batch-size <n>')
})

test('a mistake ends in words and an exit status', async () => {
  expect(await runCli(['pretrain', 'photos', '--bacth-size', '3'], withoutNative)).toEqual({
    status: 2,
    stdout: '',
    stderr: "error: unknown option '--bacth-size'\n  try: --batch-size\n",
  })
})

test('doctor answers whatever it finds, and its status says whether training can run', async () => {
  const { status, stdout } = await runCli(['doctor', '--json', '--no-python'], { env: { CAE_LIBTORCH: '/no/such/libtorch' } })
  expect(status).toBe(4)
  const { node, canTrain, problems } = JSON.parse(stdout)
  expect({ node, canTrain }).toEqual({ node: process.version, canTrain: false })
  expect(problems.join('\n')).toContain('/no/such/libtorch')
})
