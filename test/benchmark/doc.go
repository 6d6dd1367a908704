// Package benchmark holds the budgets of the library as benchmarks: each runs
// mops and a bare baseline by turns, in one process and on the same data, and
// reports the median of the ratios. Absolute times say little on shared
// machines. See the README beside it.
package benchmark
