import { isGlob, parseGlob } from '../../../src/data/sources/glob.js'

test.each([
  ['photos/*.jpg', 'photos', ['a.jpg', '.jpg'], ['a.png', 'x/a.jpg', 'ajpg']],
  ['photos/**/*.jpg', 'photos', ['a.jpg', 'x/a.jpg', 'x/y/a.jpg'], ['a.jpgx']],
  ['photos/**', 'photos', ['a.jpg', 'x/y.png'], []],
  ['/data/20??/*.{jpg,png}', '/data', ['2024/a.jpg', '2011/b.png'], ['2024/a.gif', '1999/a.png', '20245/a.jpg']],
  ['*.jpg', '.', ['a.jpg'], ['x/a.jpg']],
  ['/*.jpg', '/', ['a.jpg'], ['b.png']],
  ['a/(1)+[x]*.jpg', 'a', ['(1)+[x]9.jpg'], ['1x.jpg']],
  ['a/{x,y}/**/z*', 'a', ['x/z', 'y/q/zed'], ['w/z', 'x/a']],
  ['a/x,{b}*', 'a', ['x,b1'], ['xb']],
  ['a/img-*_0.jpg', 'a', ['img-1_0.jpg'], ['img_1_0.jpg']],
])('%s', (pattern, base, inside, outside) => {
  const glob = parseGlob(pattern)
  expect(glob.base).toBe(base)
  for (const path of inside) expect([path, glob.matches(path)]).toEqual([path, true])
  for (const path of outside) expect([path, glob.matches(path)]).toEqual([path, false])
})

test('knows a pattern from a path', () => {
  expect(['a/b', 'a (1)/b[2]', 'a/*', 'a?', '{a,b}'].map(isGlob)).toEqual([false, false, true, true, true])
})
