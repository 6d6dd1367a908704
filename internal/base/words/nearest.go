package words

import "strings"

// Nearest is the candidate that somebody who wrote word most likely meant, or
// "" where none is close.
func Nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return "" // nobody mistypes that much
	}
	plain := strings.NewReplacer("-", "", "_", "", " ", "")
	word = plain.Replace(strings.ToLower(word))
	best, least := "", max(1, len(word)/3)+1
	for _, candidate := range candidates {
		if d := distance(word, plain.Replace(strings.ToLower(candidate))); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is how many bytes must be inserted, deleted, replaced or swapped
// with their neighbour to turn a into b (the restricted Damerau-Levenshtein
// distance).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
