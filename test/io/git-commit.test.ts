import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { gitCommit } from '../../src/io/git-commit.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

function git(...args: string[]): string {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'init.defaultBranch=main']
  return execFileSync('git', [...identity, ...args], { cwd: folder(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

test('finds the commit of a branch, of packed branches, of a detached head and of a worktree, from any folder below', async () => {
  git('init')
  git('commit', '--allow-empty', '-m', 'one')
  const first = git('rev-parse', 'HEAD')
  await mkdir(join(folder(), 'a/b'), { recursive: true })
  expect(await gitCommit(join(folder(), 'a/b'))).toBe(first)
  git('pack-refs', '--all')
  expect(await gitCommit(folder())).toBe(first)
  git('commit', '--allow-empty', '-m', 'two')
  git('worktree', 'add', '-b', 'side', 'tree', first)
  expect(await gitCommit(join(folder(), 'tree'))).toBe(first)
  git('checkout', '--detach')
  expect(await gitCommit(folder())).toBe(git('rev-parse', 'HEAD'))
})

test('there is none in a repository without a commit, in one that is broken, and outside of any', async () => {
  expect(await gitCommit(folder())).toBeUndefined()
  git('init')
  expect(await gitCommit(folder())).toBeUndefined()
  await writeFile(join(folder(), '.git/HEAD'), '')
  expect(await gitCommit(folder())).toBeUndefined()
})
