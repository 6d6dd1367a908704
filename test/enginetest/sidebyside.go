package enginetest

import "flag"

// SideBySide lets up to so many of a package's parallel tests run at a time, unless
// -parallel says otherwise: most of these tests wait for something, so more than there
// are CPUs may run. A TestMain has it before it runs the tests.
func SideBySide(n string) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", n)
	}
}
