#!/usr/bin/env node
import { buildPackage } from './build/build-package.ts'

await buildPackage(process.cwd())
