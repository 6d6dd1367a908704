package subprocess

import "strings"

// environ joins lists of "KEY=value"; later ones win. No key comes twice: C
// programs and Go would take the first, shells the last.
func environ(base []string, more ...[]string) []string {
	size := len(base)
	for _, list := range more {
		size += len(list)
	}
	joined := make([]string, 0, size)
	seen := make(map[string]struct{}, size-len(base))
	for i := len(more) - 1; i >= 0; i-- {
		for j := len(more[i]) - 1; j >= 0; j-- {
			key, _, _ := strings.Cut(more[i][j], "=")
			if _, twice := seen[key]; !twice {
				seen[key] = struct{}{}
				joined = append(joined, more[i][j])
			}
		}
	}
	for _, variable := range base {
		key, _, _ := strings.Cut(variable, "=")
		if _, twice := seen[key]; !twice {
			joined = append(joined, variable)
		}
	}
	return joined
}
