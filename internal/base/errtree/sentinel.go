package errtree

import "slices"

// sentinels are the errors that records know by name. They are written when the
// program is initialised, and only read from then on.
var (
	sentinels = map[string]error{}
	names     []string
)

// Sentinel gives an error the name by which it is found again in another
// process. It is for package variables; the name stays for good.
func Sentinel(name string, err error) error {
	if sentinels[name] != nil {
		panic("errtree: there are two sentinels " + name)
	}
	sentinels[name] = err
	names = append(names, name)
	slices.Sort(names)
	return err
}

// Sentinels names those that err is, in order.
func Sentinels(err error) (found []string) {
	for _, name := range names {
		if Is(err, sentinels[name]) {
			found = append(found, name)
		}
	}
	return found
}

// IsNamed reports whether target is a sentinel with one of these names.
func IsNamed(target error, among []string) bool {
	return slices.ContainsFunc(among, func(name string) bool {
		sentinel, ok := sentinels[name]
		return ok && same(sentinel, target)
	})
}
