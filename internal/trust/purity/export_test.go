package purity

import "strings"

// Names are all names in the lists, by the path of their package.
func Names() map[string][]string {
	all := map[string][]string{}
	for path, classes := range always {
		for _, list := range classes {
			for _, name := range strings.Fields(list) {
				all[path] = append(all[path], strings.TrimPrefix(name, "!"))
			}
		}
	}
	for _, list := range []map[string]map[string]int{byName, changes} {
		for path, names := range list {
			for name := range names {
				all[path] = append(all[path], name)
			}
		}
	}
	return all
}

// Like says that a name is one that a pattern in the lists means.
func Like(pattern, name string) bool { return like(pattern, name) }
