// Everything that the other scripts need: lib/ and the addon. Says nothing when all is up to date.
import { buildLib } from './build-lib.mjs'
import { buildNative } from './build-native.mjs'

try {
  const started = Date.now()
  const hasLib = buildLib()
  const hasAddon = await buildNative((line) => console.log(line))
  if (hasLib || hasAddon) console.log(`built in ${((Date.now() - started) / 1000).toFixed(1)} s`)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
