#!/usr/bin/env node
import { runToExit } from './exit.js'
import { program } from './program.js'

void runToExit(() => program().parseAsync())
