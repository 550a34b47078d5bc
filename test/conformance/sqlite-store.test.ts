import { test } from 'tap'
import { storeSuite } from '../../conformance/index.ts'
import { sqliteHarness } from '../helpers/store-harnesses.ts'

storeSuite(test, sqliteHarness())
