// Preloaded where nothing native may be loaded: node -r ./test/support/no-native.cjs ...
process.dlopen = (_, path) => {
  throw new Error(`loaded native code: ${path}`)
}
