// Package enginetest proves the engine end to end: results are right and made
// once though programs and workers are killed at every step, contend for the
// same calls, and keep their records in a store that fails or is damaged.
//
// Its tests start the test binary again, as the program under test and as the
// workers of that. What user functions did is counted in a file outside of the
// store, so that nothing which the store says needs to be believed. The package
// stands above all others; only tests import it.
package enginetest
