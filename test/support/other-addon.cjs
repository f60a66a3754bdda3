// Preloaded to run anything with another build of the addon: CAE_TEST_ADDON=build/asan/cae_torch.node node -r ./test/support/other-addon.cjs ...
const { basename } = require('node:path')
const open = process.dlopen
process.dlopen = (module, path, ...flags) =>
  open.call(process, module, basename(path) === 'cae_torch.node' ? process.env.CAE_TEST_ADDON : path, ...flags)
