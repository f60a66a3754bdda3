// Two workers share the cores already. Set here because OpenMP reads it before any test runs.
process.env.OMP_NUM_THREADS ??= '1'

/** Fast tests: everything under test/ but what has a script of its own. */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testPathIgnorePatterns: ['/node_modules/', '/test/gpu/', '/test/interop/', '/test/soak/', '/test/types/'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } }],
    // ES modules, which Jest's `require` cannot load as they are.
    '/node_modules/(hyparquet|hyparquet-compressors|hyparquet-writer|hysnappy)/.+\\.js$': [
      '@swc/jest',
      { jsc: { target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  transformIgnorePatterns: ['/node_modules/(?!(hyparquet|hyparquet-compressors|hyparquet-writer|hysnappy)/)'],
  maxWorkers: 2,
  testTimeout: 30_000, // a busy machine makes a test slow, not wrong
}
